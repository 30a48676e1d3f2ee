// Packs the tree of a commit as what it is: each blob's own bytes, modes 644 and 755, links as they are, submodules as
// empty directories. No attribute and no setting of git has a say, so the same commit gives the same bytes everywhere.

import { open } from 'node:fs/promises'

import type { ObjectReader } from '../git/objects.ts'
import { GitError } from '../git/process.ts'
import type { Repository } from '../git/repository.ts'
import type { TreeEntry } from '../git/tree.ts'
import { ENTRIES_MAX, walkTree } from '../git/walk.ts'
import { Output, TooLarge } from './output.ts'
import { quoteBytes } from './tar.ts'
import { TarWriter } from './tar-writer.ts'

/** Longest path, in bytes: no system has a longer one. */
const PATH_MAX = 4096
/** Longest target of a link. */
const TARGET_MAX = 4096
/** Bytes of a file that are read at a time. */
const FILE_READ_BYTES = 256 * 1024
/** So many objects are asked for at a time: each takes some memory. */
const OBJECTS_AT_ONCE = 20_000

export interface PackOptions {
  /** The time of all entries, in seconds since 1970. */
  readonly time: number
  /** A command and its arguments. */
  readonly compressor: readonly string[]
  /** Most bytes of the archive before compression. */
  readonly maxBytes: number
  readonly signal?: AbortSignal | undefined
  /** Returns the entry that is packed in the place of another. */
  readonly swap?: ((entry: TreeEntry) => TreeEntry) | undefined
  /** Packs something else in the place of an entry of the tree. */
  readonly instead?: Instead | undefined
  /** Packs more, behind the tree. */
  readonly behind?: ((packer: Packer) => Promise<void>) | undefined
}

/** Returns nothing for an entry that is packed as it is; else what packs it, or leaves it and answers false. */
export type Instead = (entry: TreeEntry) => ((packer: Packer) => Promise<boolean>) | undefined

/**
 * Writes the archive of a tree, by its id, to an open file; without an id, of nothing. Throws GitError if the repository or the
 * tree is at fault, Fatal if the compressor is.
 */
export async function pack(
  repository: Repository,
  id: string | undefined,
  fd: number,
  options: PackOptions,
): Promise<void> {
  const output = new Output(fd, options.compressor, options.maxBytes, options.signal)
  try {
    const packer = new Packer(new TarWriter(output), options)
    if (id !== undefined) await packer.tree(repository, id, '', options.instead)
    await options.behind?.(packer)
    await packer.tar.close()
  } catch (error) {
    const why = await output.destroy(error)
    throw why instanceof TooLarge ? new GitError(why.message) : why
  }
}

export class Packer {
  readonly tar: TarWriter
  readonly #options: PackOptions
  #entries = 0
  /** The objects to ask git for next, and their readers. */
  #wanted: [string, ObjectReader][] = []
  /** Entries without content that come before the next object. */
  #before: TreeEntry[] = []
  #broken = false

  constructor(tar: TarWriter, options: PackOptions) {
    this.tar = tar
    this.#options = options
  }

  /** Packs a tree below `prefix`, which is empty or ends with a slash. */
  async tree(repository: Repository, id: string, prefix: string, instead?: Instead): Promise<void> {
    await walkTree(repository, id, prefix, entry => this.#entry(repository, entry, instead))
    await this.#written(repository)
  }

  /** Packs one entry; a promise says when the next one is welcome. */
  #entry(repository: Repository, found: TreeEntry, instead?: Instead): void | Promise<void> {
    const entry = this.#options.swap?.(found) ?? found
    if (++this.#entries > ENTRIES_MAX) throw new GitError(`it has more than ${ENTRIES_MAX} entries`)
    if (entry.name.length > PATH_MAX) throw new GitError(`it has a path of more than ${PATH_MAX} bytes`)
    const other = instead?.(entry)
    return other ? this.#other(repository, entry, other) : this.#plain(repository, entry)
  }

  async #other(
    repository: Repository,
    entry: TreeEntry,
    other: (packer: Packer) => Promise<boolean>,
  ): Promise<void> {
    await this.#written(repository)
    if (!(await other(this))) await this.#plain(repository, entry)
  }

  /** Packs a directory of this name, without what is in it. */
  directory(name: string): void {
    this.#directories([{ name }])
  }

  /** Packs a file of the disk. Throws GitError if it has another size than it should have, in bytes. */
  async disk(name: string, path: string, mode: number, expected?: number): Promise<void> {
    const file = await open(path)
    try {
      const { size } = await file.stat()
      if (expected !== undefined && size !== expected)
        throw new GitError(`${quoteBytes(name)} has ${size} bytes and not ${expected}`)
      this.tar.begin({ kind: 'file', name, mode, size, time: this.#options.time })
      for (let left = size; left > 0;) {
        const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(Math.min(left, FILE_READ_BYTES)))
        if (bytesRead === 0) throw new GitError(`${quoteBytes(name)} became shorter`)
        left -= bytesRead
        await this.tar.write(buffer.subarray(0, bytesRead))
      }
      if (size > 0) this.tar.end()
    } finally {
      await file.close()
    }
  }

  #plain(repository: Repository, entry: TreeEntry): void | Promise<void> {
    if (entry.kind === 'directory' || entry.kind === 'submodule') {
      this.#before.push(entry)
      return undefined
    }
    const before = this.#before
    this.#before = []
    const reader = entry.kind === 'link' ? this.#link(entry, before) : this.#file(entry, before)
    return this.#wanted.push([entry.id, reader]) === OBJECTS_AT_ONCE ? this.#written(repository) : undefined
  }

  #file({ name, kind }: TreeEntry, before: readonly TreeEntry[]): ObjectReader {
    const mode = kind === 'executable' ? 0o755 : 0o644
    let left = 0
    return {
      begin: ({ type, size }) => {
        this.#check(name, type)
        this.#directories(before)
        left = size
        this.tar.begin({ kind: 'file', name, mode, size, time: this.#options.time })
      },
      take: bytes => {
        this.#check(name)
        const busy = this.tar.write(bytes)
        left -= bytes.length
        if (left === 0) this.tar.end()
        return busy
      },
    }
  }

  #link({ name }: TreeEntry, before: readonly TreeEntry[]): ObjectReader {
    let left = 0
    let target = ''
    const end = () => {
      if (target === '' || target.includes('\0'))
        throw new GitError(`the link ${quoteBytes(name)} leads nowhere`)
      this.tar.begin({ kind: 'symlink', name, mode: 0o777, target, time: this.#options.time })
    }
    return {
      begin: ({ type, size }) => {
        this.#check(name, type)
        if (size > TARGET_MAX)
          throw new GitError(`the link ${quoteBytes(name)} has a target of ${size} bytes`)
        this.#directories(before)
        left = size
        if (size === 0) end()
      },
      take: bytes => {
        this.#check(name)
        target += bytes.toString('latin1')
        left -= bytes.length
        if (left === 0) end()
      },
    }
  }

  /** Throws if this is no blob, or what comes is not wanted any more. */
  #check(name: string, type = 'blob'): void {
    if (this.#broken) throw new Error('the archive is not written any more')
    if (type !== 'blob') throw new GitError(`${quoteBytes(name)} is a ${type}`)
  }

  #directories(entries: readonly Pick<TreeEntry, 'name'>[]): void {
    for (const { name } of entries) {
      this.tar.begin({ kind: 'directory', name, mode: 0o755, time: this.#options.time })
    }
  }

  /** Writes all that is wanted. */
  async #written(repository: Repository): Promise<void> {
    try {
      await repository.readAll(this.#wanted)
    } catch (error) {
      // Nothing more is written behind it: the file is closed next.
      this.#broken = true
      throw error
    }
    this.#wanted = []
    this.#directories(this.#before)
    this.#before = []
  }
}
