// What a disk holds after a power cut, at the least that POSIX promises: of a file's content what was fsynced (bytes are
// only ever added behind that; a file that is written anew is emptied first), of a
// directory's names those it had when it was fsynced. A rename is on the disk as a whole as soon as the directory that
// receives is; the other one alone only loses the name. That much, and no more, a program may rely on; a file system may
// happen to keep more.

import {
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'

import type { Operation } from '../fixtures/fault.ts'

/**
 * A file: `synced` if all of it is on the disk, else its first `kept` bytes. One that was there from the beginning has a copy, for
 * after a cut it may be there again if another was `replaced` for it. A directory: its names now, and those on the disk.
 */
type Node = File | Directory
interface File {
  synced: boolean
  kept: number
  readonly copy?: string
  replaced?: boolean
}
interface Directory {
  now: Map<string, Node>
  kept: Map<string, Node>
}

const isDirectory = (node: Node | undefined): node is Directory => node !== undefined && 'now' in node

interface Rename {
  node: Node
  from: [Directory, string]
  to: [Directory, string]
}

export class Disk {
  readonly #path: string
  readonly #root: Directory
  /** Renames that are not on the disk, in their order. */
  #renames: Rename[] = []

  /** A disk that holds what is in a directory now. */
  constructor(path: string) {
    this.#path = path
    const copies = `${path}.copies`
    rmSync(copies, { recursive: true, force: true })
    mkdirSync(copies)
    this.#root = read(path, new Map(), copies)
  }

  /** Follows what programs did to the directory. */
  follow(operations: readonly Operation[]): void {
    for (const operation of operations) if (!operation.failed) this.#apply(operation)
  }

  #apply({ kind, path, to }: Operation): void {
    const [directory, name] = this.#place(path)
    const node = directory?.now.get(name)
    if (!directory) return
    if (kind === 'mkdir') directory.now.set(name, { now: new Map(), kept: new Map() })
    else if (kind === 'open' && !node) directory.now.set(name, { synced: false, kept: 0 })
    if (!node) return
    if (kind === 'unlink' || kind === 'rmdir') directory.now.delete(name)
    else if (kind === 'write' && !isDirectory(node)) node.synced = false
    else if (kind === 'open' && to === 'emptied') Object.assign(node, { synced: false, kept: 0 })
    else if (kind === 'fsync') this.#sync(node, Number(to))
    else if (kind === 'link' || kind === 'rename') {
      const [target, newName] = this.#place(to)
      const other = target?.now.get(newName)
      if (!target || other === node) return
      if (other && !isDirectory(other)) other.replaced = true
      target.now.set(newName, node)
      if (kind === 'link') return
      directory.now.delete(name)
      this.#renames.push({ node, from: [directory, name], to: [target, newName] })
    }
  }

  #sync(node: Node, size: number): void {
    if (!isDirectory(node)) {
      node.synced = true
      node.kept = size
      return
    }
    const done = ({ to }: Rename) => to[0] === node
    for (const { node: moved, from, to } of this.#renames.filter(done)) {
      if (from[0].kept.get(from[1]) === moved) from[0].kept.delete(from[1])
      to[0].kept.set(to[1], moved)
    }
    this.#renames = this.#renames.filter(rename => !done(rename))
    node.kept = new Map(node.now)
  }

  /** The directory of the model that holds a path, and the name in it. */
  #place(path: string): [Directory | undefined, string] {
    if (path === this.#path) return [{ now: new Map([['', this.#root]]), kept: new Map() }, '']
    if (!path.startsWith(this.#path + '/')) return [undefined, '']
    let directory: Directory = this.#root
    for (const part of dirname(path.slice(this.#path.length + 1)).split('/')) {
      if (part === '.') continue
      const next = directory.now.get(part)
      if (!isDirectory(next)) return [undefined, '']
      directory = next
    }
    return [directory, basename(path)]
  }

  /** Makes the directory what the disk holds. Files that were removed are gone, on the disk as well. */
  cutPower(): void {
    const after = `${this.#path}.disk`
    const before = `${this.#path}.before`
    write(this.#root, after, pathsOf(this.#root, this.#path))
    renameSync(this.#path, before)
    renameSync(after, this.#path)
    rmSync(before, { recursive: true })
  }
}

function read(path: string, inodes: Map<number, Node>, copies: string): Directory {
  const now = new Map<string, Node>()
  for (const name of readdirSync(path)) {
    const stat = lstatSync(join(path, name))
    if (stat.isDirectory()) now.set(name, read(join(path, name), inodes, copies))
    else if (stat.isFile()) {
      const copy = join(copies, String(stat.ino))
      const node = inodes.get(stat.ino) ?? { synced: true, kept: stat.size, copy }
      if (!inodes.has(stat.ino)) copyFileSync(join(path, name), copy)
      inodes.set(stat.ino, node)
      now.set(name, node)
    }
  }
  return { now, kept: new Map(now) }
}

/** A path of each file there is. */
function pathsOf(directory: Directory, path: string, paths = new Map<Node, string>()): Map<Node, string> {
  for (const [name, node] of directory.now) {
    if (isDirectory(node)) pathsOf(node, join(path, name), paths)
    else paths.set(node, join(path, name))
  }
  return paths
}

function write(directory: Directory, path: string, paths: Map<Node, string>): void {
  mkdirSync(path)
  for (const [name, node] of directory.kept) {
    const target = join(path, name)
    if (isDirectory(node)) {
      write(node, target, paths)
      continue
    }
    const source = paths.get(node) ?? (node.replaced ? node.copy : undefined)
    if (source === undefined || !existsSync(source)) continue
    if (node.synced) linkSync(source, target)
    else {
      writeFileSync(target, readFileSync(source).subarray(0, node.kept), { mode: statSync(source).mode })
      // Its other names are names of this file.
      node.synced = true
      paths.set(node, target)
    }
  }
}
