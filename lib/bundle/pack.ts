// Packs the tree of a commit as what it is: each blob's own bytes, modes 644 and 755, links as they are, submodules as
// empty directories. No attribute and no setting of git has a say, so the same commit gives the same bytes everywhere.

import type { ObjectReader } from '../git/objects.ts'
import { GitError } from '../git/process.ts'
import type { Repository } from '../git/repository.ts'
import type { TreeEntry } from '../git/tree.ts'
import { walkTree } from '../git/walk.ts'
import { Output, TooLarge } from './output.ts'
import { quoteBytes } from './tar.ts'
import { TarWriter } from './tar-writer.ts'

/** More entries than any checkout has: a small tree can name a larger one again and again. */
const ENTRIES_MAX = 1_000_000
/** Longest path, in bytes: no system has a longer one. */
const PATH_MAX = 4096
/** Longest target of a link. */
const TARGET_MAX = 4096
/** So many objects are asked for ahead of the one that is written. */
const AHEAD = 128

export interface PackOptions {
  /** The time of all entries, in seconds since 1970. */
  readonly time: number
  /** A command and its arguments. */
  readonly compressor: readonly string[]
  /** Most bytes of the archive before compression. */
  readonly maxBytes: number
  readonly signal?: AbortSignal | undefined
  /** What is packed in the place of an entry. */
  readonly swap?: ((entry: TreeEntry) => TreeEntry) | undefined
  /** Packs what stands for a file, a link or a submodule instead of it; answers false where nothing does. */
  readonly instead?: ((entry: TreeEntry, packer: Packer) => Promise<boolean>) | undefined
  /** Packs more, behind the tree. */
  readonly behind?: ((packer: Packer) => Promise<void>) | undefined
}

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
    if (id !== undefined) await packer.tree(repository, id, '')
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
  /** What is asked of git and not written yet. */
  #asked: Promise<void>[] = []
  /** Entries without content that come before the next object. */
  #before: TreeEntry[] = []
  #broken = false

  constructor(tar: TarWriter, options: PackOptions) {
    this.tar = tar
    this.#options = options
  }

  /** Packs a tree below `prefix`, which is empty or ends with a slash. */
  async tree(repository: Repository, id: string, prefix: string): Promise<void> {
    try {
      await walkTree(repository, id, prefix, entry => this.#entry(repository, entry))
      await this.#written()
    } finally {
      // The file is closed next, and perhaps another one has its number.
      this.#broken = true
      await Promise.allSettled(this.#asked)
      this.#broken = false
    }
  }

  /** Packs one entry; a promise says when the next one is welcome. */
  #entry(repository: Repository, found: TreeEntry): void | Promise<void> {
    const entry = this.#options.swap?.(found) ?? found
    if (++this.#entries > ENTRIES_MAX) throw new GitError(`it has more than ${ENTRIES_MAX} entries`)
    if (entry.name.length > PATH_MAX) throw new GitError(`it has a path of more than ${PATH_MAX} bytes`)
    if (this.#options.instead && entry.kind !== 'directory') return this.#maybe(repository, entry)
    return this.#plain(repository, entry)
  }

  async #maybe(repository: Repository, entry: TreeEntry): Promise<void> {
    await this.#written()
    if (!(await this.#options.instead!(entry, this))) await this.#plain(repository, entry)
  }

  #plain(repository: Repository, entry: TreeEntry): void | Promise<void> {
    if (entry.kind === 'directory' || entry.kind === 'submodule') {
      this.#before.push(entry)
      return undefined
    }
    const before = this.#before
    this.#before = []
    const reader = entry.kind === 'link' ? this.#link(entry, before) : this.#file(entry, before)
    const read = repository.read(entry.id, reader)
    read.catch(() => undefined)
    return this.#asked.push(read) > AHEAD ? this.#asked.shift() : undefined
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

  #directories(entries: readonly TreeEntry[]): void {
    for (const { name } of entries) {
      this.tar.begin({ kind: 'directory', name, mode: 0o755, time: this.#options.time })
    }
  }

  /** Waits until all that was asked for is written. */
  async #written(): Promise<void> {
    await Promise.all(this.#asked)
    this.#asked = []
    this.#directories(this.#before)
    this.#before = []
  }
}
