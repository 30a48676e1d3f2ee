// A directory as a tree of git, with two git processes however many files it has. Nothing of an index or a work tree is
// touched, no filter or attribute applies, and no symbolic link is followed.

import { constants, readdirSync, rmSync } from 'node:fs'
import { open, readlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { resolve } from 'node:path'

import { isErrno, reasonOf } from '../base/errno.ts'
import { Dialogue, gitOutput } from './git-process.ts'

interface Leaf {
  readonly name: Buffer
  readonly mode: '100644' | '100755' | '120000'
  /** Its blob, when that is written. */
  readonly id: Promise<string>
}

interface Directory {
  readonly name: Buffer
  readonly leaves: readonly Leaf[]
  readonly directories: readonly Directory[]
}

interface Tree {
  readonly id: string
  /** The paths that were left out, each with the reason. */
  readonly skipped: readonly string[]
}

/**
 * Writes the files below a directory into a repository: subdirectories, execute bits and symbolic links included. Leaves out
 * what git cannot hold: empty directories, special files, and names like `.git`, which others would refuse to receive; and
 * what is removed or replaced meanwhile, as by a process that the run left behind. Throws GitError, or the error of the file
 * system.
 */
export async function writeTree(repository: string, directory: string): Promise<Tree> {
  const blobs = new Blobs(repository)
  const skipped: string[] = []
  let root: Directory
  try {
    root = await readDirectory(Buffer.from(directory), Buffer.alloc(0), '', blobs, skipped)
    await blobs.close()
  } catch (error) {
    await blobs.abandon()
    throw error
  }
  const trees = new Dialogue(repository, ['mktree', '-z', '--batch'])
  try {
    const id = await makeTree(root, trees)
    await trees.close()
    return { id: id ?? (await emptyTree(repository)), skipped }
  } catch (error) {
    trees.kill()
    throw error
  }
}

async function emptyTree(repository: string): Promise<string> {
  const trees = new Dialogue(repository, ['mktree'])
  const id = trees.answer()
  await trees.close()
  return id
}

async function readDirectory(
  path: Buffer,
  name: Buffer,
  below: string,
  blobs: Blobs,
  skipped: string[],
): Promise<Directory> {
  const leaves: Leaf[] = []
  const directories: Directory[] = []
  for (const entry of readdirSync(path, { encoding: 'buffer', withFileTypes: true })) {
    const name = entry.name as unknown as Buffer
    const at = Buffer.concat([path, Buffer.from('/'), name])
    const shown = `${below}${name.toString()}`
    try {
      if (isReserved(name)) skipped.push(`${shown}: git reserves this name`)
      else if (entry.isDirectory())
        directories.push(await readDirectory(at, name, `${shown}/`, blobs, skipped))
      else if (entry.isSymbolicLink() && name.toString().toLowerCase() !== '.gitmodules')
        leaves.push({ name, mode: '120000', ...(await blobs.add(await readlink(at, 'buffer'))) })
      else if (entry.isFile()) leaves.push({ name, ...(await blobs.addFile(at)) })
      else skipped.push(`${shown}: not a file`)
    } catch (error) {
      if (!(error instanceof Changed || isErrno(error, ...CHANGED))) throw error
      skipped.push(`${shown}: ${reasonOf(error)}`)
    }
  }
  return { name, leaves, directories }
}

/** What the kernel says of an entry that is no longer what it was when its directory was read. */
const CHANGED = ['ENOENT', 'ENOTDIR', 'ELOOP', 'EINVAL', 'ENXIO']

/** An entry cannot be read because it does not stay as it is. */
class Changed extends Error {}

/** How often a file is read that becomes shorter each time. */
const READS = 3

/** True for what git refuses to receive or to check out, on this system or another. */
function isReserved(name: Buffer): boolean {
  const text = name.toString().replace(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, '')
  return /^(?:\.git|git~1)[ .]*(?::.*)?$/i.test(text)
}

/** Makes the trees below, then this one. Undefined if there is no file in it. */
async function makeTree(directory: Directory, trees: Dialogue): Promise<string | undefined> {
  const lines: Buffer[] = []
  const add = (kind: string, id: string, name: Buffer) =>
    lines.push(Buffer.from(`${kind} ${id}\t`), name, Buffer.from('\0'))
  for (const below of directory.directories) {
    const id = await makeTree(below, trees)
    if (id !== undefined) add('040000 tree', id, below.name)
  }
  for (const { name, mode, id } of directory.leaves) add(`${mode} blob`, await id, name)
  if (lines.length === 0) return undefined
  const answer = trees.answer()
  await trees.write(Buffer.concat([...lines, Buffer.from('\0')]))
  return answer
}

/** Blobs go into a repository through one fast-import, which packs them where they are many. */
class Blobs {
  readonly #git: Dialogue
  readonly #repository: string
  #count = 0

  constructor(repository: string) {
    this.#repository = repository
    this.#git = new Dialogue(repository, ['fast-import', '--quiet', '--done'])
  }

  /** Sends a blob; its id comes later. */
  async add(content: Uint8Array): Promise<{ id: Promise<string> }> {
    const mark = await this.#begin(content.length)
    await this.#git.write(content)
    return this.#finish(mark)
  }

  /**
   * As `add`, of a file, which is read in pieces. A file that grows meanwhile has the size that it had first; one that becomes
   * shorter is read again.
   */
  async addFile(path: Buffer): Promise<{ mode: '100644' | '100755'; id: Promise<string> }> {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      for (let reads = 0; reads < READS; reads++) {
        const stat = await file.stat()
        if (!stat.isFile()) throw new Changed('not a file')
        const mark = await this.#begin(stat.size)
        const isWhole = await this.#send(file, stat.size)
        const { id } = await this.#finish(mark)
        if (isWhole) return { mode: stat.mode & 0o100 ? '100755' : '100644', id }
      }
      throw new Changed('it became shorter each time it was read')
    } finally {
      await file.close()
    }
  }

  /** Sends so many bytes of a file. False if it has fewer: git waits for all, and gets zeros for the rest. */
  async #send(file: FileHandle, size: number): Promise<boolean> {
    let isWhole = true
    for (let at = 0; at < size;) {
      // A new buffer each time: what was written last may still be in the stream.
      const chunk = Buffer.alloc(Math.min(size - at, 1 << 16))
      const read: number = isWhole ? (await file.read(chunk, 0, chunk.length, at)).bytesRead : 0
      isWhole &&= read > 0
      const sent = isWhole ? chunk.subarray(0, read) : chunk
      await this.#git.write(sent)
      at += sent.length
    }
    return isWhole
  }

  /** All that was added is in the repository when this resolves. */
  async close(): Promise<void> {
    await this.#git.write('done\n')
    await this.#git.close()
  }

  /** After an error. On a disk that it has filled, what it leaves would keep that full. */
  async abandon(): Promise<void> {
    const { pid, stderr } = await this.#git.abandon()
    const [, pack] = /'([^']*\/tmp_pack_\w+)'/.exec(stderr) ?? []
    const report = await gitOutput(this.#repository, [
      'rev-parse',
      '--git-path',
      `fast_import_crash_${pid ?? 0}`,
    ])
    for (const left of [report, ...(pack === undefined ? [] : [pack])])
      rmSync(resolve(this.#repository, left), { force: true })
  }

  async #begin(size: number): Promise<number> {
    await this.#git.write(`blob\nmark :${++this.#count}\ndata ${size}\n`)
    return this.#count
  }

  async #finish(mark: number): Promise<{ id: Promise<string> }> {
    const id = this.#git.answer()
    await this.#git.write(`\nget-mark :${mark}\n`)
    return { id }
  }
}
