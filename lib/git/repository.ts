// A repository, for programs that ask it many questions. Bare or not, SHA-1 or SHA-256 makes no difference.

import { setMaxListeners } from 'node:events'
import { statSync } from 'node:fs'

import { tolerating } from '../base/errno.ts'
import { quote, temporary } from '../base/exit.ts'
import { COMMIT_MAX, parseCommit } from './commit.ts'
import { Describer } from './describe.ts'
import { Objects } from './objects.ts'
import type { GitObject, ObjectReader } from './objects.ts'
import { ended, environmentAt, GitError, runGit, sentence, startGit } from './process.ts'
import type { Start } from './process.ts'
import { RecentBlobs } from './recent-blobs.ts'
import { Recent } from './recent.ts'
import { parseTree } from './tree.ts'
import type { TreeEntry } from './tree.ts'
import { walkTree } from './walk.ts'

export { GitError }

export interface Commit {
  readonly id: string
  /** When it was committed, in seconds since 1970. */
  readonly time: number
  /** The id of its tree. */
  readonly tree: string
}

/** Most bytes of a tree object: a directory of a million files has fewer. */
const TREE_MAX = 256 * 1024 * 1024

/** A job that was just made is at its first step by then. */
const REST_AFTER_MS = 40

/** More objects than these are worth a process of their own. */
const MANY = 200

/**
 * A repository. It keeps one git process to look objects up with, from the first look-up until `close`; `rest` has the
 * next one ready. An aborted `signal` kills what runs for it.
 */
export class Repository {
  readonly path: string | undefined
  readonly #start: Start
  #objects: Objects | undefined
  /** The directory in which that process was started: another one of the same path may have taken its place. */
  #place: string | undefined
  readonly #describer: Describer
  readonly #recent = new Recent()
  readonly #blobs = new RecentBlobs()
  #resting: NodeJS.Timeout | undefined
  #closed = false

  /**
   * The repository at a path, in it and not around it; without one, that of the current directory, as git finds it. Git
   * gets `variables` in addition to our environment.
   */
  constructor(path?: string, signal?: AbortSignal, variables: NodeJS.ProcessEnv = {}) {
    this.path = path
    const env = path === undefined ? { ...process.env, LC_ALL: 'C' } : environmentAt(path)
    this.#start = { place: path, env: { ...env, ...variables }, signal }
    // Each git that runs listens to it, until it ends.
    if (signal) setMaxListeners(0, signal)
    this.#describer = new Describer(this.#start)
  }

  /** Kills what runs for it when it aborts. */
  get signal(): AbortSignal | undefined {
    return this.#start.signal
  }

  /** Throws Fatal if this is no repository that git can read. */
  async check(): Promise<void> {
    this.#restNow()
    if (this.#place !== this.#locate()) this.#forget()
    try {
      // An object that is never there: all that matters is that git answers.
      await this.#look('', 0)
    } catch (error) {
      throw temporary(`use the repository ${quote(this.path ?? '.')}`, error)
    }
  }

  /** The commit that a revision names, through tags; undefined if it names none. */
  async commit(revision: string): Promise<Commit | undefined> {
    const object = await this.#lookAgain(`${bytesOf(revision)}^{commit}`, COMMIT_MAX)
    if (object?.type !== 'commit') return undefined
    const { committed, tree } = parseCommit(object.body)
    return { id: object.id, time: committed, tree }
  }

  /** The id of a directory in a commit or tree; undefined if it has none of that name. `path` is in UTF-8. */
  async tree(id: string, path: string): Promise<string | undefined> {
    const object = await this.#look(nameIn(id, path), 0)
    return object?.type === 'tree' ? object.id : undefined
  }

  /** The content of a file, or where a link leads, in a commit or tree; undefined if there is none, or it is longer than `max` bytes. */
  async file(id: string, path: string, max: number): Promise<Buffer | undefined> {
    return this.#blob(nameIn(id, path), max)
  }

  /** The content of a blob, by its id; undefined if there is none, or it is longer than `max` bytes. */
  blob(id: string, max: number): Promise<Buffer | undefined> {
    return this.#blob(id, max)
  }

  async #blob(name: string, max: number): Promise<Buffer | undefined> {
    const object = await this.#look(name, max)
    return object?.type === 'blob' && object.size <= max ? object.body : undefined
  }

  /** Lists a commit's root or a tree, by its id, in git's order, each name below `prefix`, which is empty or ends with a slash. */
  async entries(id: string, prefix = ''): Promise<TreeEntry[]> {
    const object = await this.#look(`${id}^{tree}`, TREE_MAX)
    if (object?.type !== 'tree') throw new GitError(`it has no tree ${id}`)
    if (object.size > TREE_MAX) throw new GitError(`its tree ${id} is too large`)
    return parseTree(object.body, object.id.length, prefix)
  }

  /** All files, links and submodules of a commit or tree, in git's order, without its directories. */
  async files(id: string): Promise<TreeEntry[]> {
    const files: TreeEntry[] = []
    await walkTree(this, id, '', entry => {
      if (entry.kind !== 'directory') files.push(entry)
    })
    return files
  }

  /** Hands an object to a reader as it arrives. Throws GitError if it is not there. */
  async read(id: string, reader: ObjectReader): Promise<void> {
    if (!(await this.#ready().read(id, reader))) throw new GitError(`it has no object ${id}`)
  }

  /**
   * Hands objects to their readers, in this order. Many are read from a process of git of their own, which writes in larger
   * pieces than one that answers questions may. When this settles no reader is called any more. Throws GitError if an object
   * is not there, or what a reader throws.
   */
  async readAll(wanted: readonly (readonly [string, ObjectReader])[]): Promise<void> {
    const failed = new AbortController()
    const read = async (objects: Objects, [id, reader]: readonly [string, ObjectReader]) => {
      try {
        if (!(await objects.read(id, reader))) throw new GitError(`it has no object ${id}`)
      } catch (error) {
        failed.abort(error)
        throw error
      }
    }
    const { asked, handRest } = this.#blobs.split(wanted, failed.signal)
    const many = asked.length > MANY
    const objects = many ? this.#bulk(failed.signal) : this.#ready()
    const answers = asked.map(one => read(objects, one))
    if (many) objects.close()
    await Promise.allSettled(answers)
    if (failed.signal.aborted) throw failed.signal.reason
    await handRest()
  }

  #bulk(failed: AbortSignal): Objects {
    const { signal } = this.#start
    const start = { ...this.#start, signal: AbortSignal.any(signal ? [signal, failed] : [failed]) }
    return new Objects(() => startGit(start, ['cat-file', '--batch', '--buffer'], ['pipe', 'pipe', 'pipe']))
  }

  /** The shortest beginning of an object's id, of 7 digits or more, that names it and nothing else. */
  async shorten(id: string): Promise<string> {
    for (let length = 7; length < id.length; length++) {
      if ((await this.#look(id.slice(0, length), 0))?.id === id) return id.slice(0, length)
    }
    return id
  }

  /** The nearest tag of a commit, as `TAG` or `TAG-N-gID`, in the bytes it has; undefined if there is none. */
  describe(revision: string): Promise<Buffer | undefined> {
    return this.#describer.describe(revision)
  }

  /** Says which commits will be described next: git is asked for many of them at once. */
  expectDescribed(revisions: readonly string[]): void {
    this.#describer.expect(revisions)
  }

  /** Commits, each with its time, in the order of `git rev-list --reverse`. */
  async inOrder(commits: readonly Pick<Commit, 'id' | 'time'>[]): Promise<string[]> {
    const wanted = new Set(commits.map(commit => commit.id))
    // The walk need not go beyond the oldest of them.
    const oldest = Math.min(...commits.map(commit => commit.time))
    const args = ['rev-list', '--reverse', '--date-order', `--max-age=${oldest}`, '--stdin']
    const listed = await this.run(args, { input: [...wanted].join('\n') + '\n' })
    return listed
      .toString()
      .split('\n')
      .filter(id => wanted.has(id))
  }

  /**
   * Runs git here with `input` and returns what it prints. Throws GitError, with git's sentence, if it fails, or takes longer than
   * `patience` milliseconds.
   */
  async run(
    args: readonly string[],
    { input, patience }: { input?: string | Buffer; patience?: number } = {},
  ): Promise<Buffer> {
    const timeout = patience === undefined ? undefined : AbortSignal.timeout(patience)
    const signals = [this.#start.signal, timeout].filter(signal => signal !== undefined)
    try {
      const end = await runGit({ ...this.#start, signal: AbortSignal.any(signals) }, args, input)
      if (end.code !== 0) throw new GitError(sentence(end))
      return end.stdout
    } catch (error) {
      if (timeout?.aborted !== true) throw error
      throw new GitError(`git ${args[0]!} took longer than ${patience! / 1000} s`)
    }
  }

  /** Has git-lfs fetch the content that a pointer names, to where it keeps such. Throws GitError if it cannot. */
  async fetchLfs(pointer: Buffer): Promise<void> {
    const child = startGit(this.#start, ['lfs', 'smudge'], ['pipe', 'ignore', 'pipe'])
    child.stdin!.on('error', () => undefined).end(pointer)
    const end = await ended(child)
    if (end.code !== 0) throw new GitError(sentence(end))
  }

  /**
   * For the end of a piece of work: a new process takes the place of the one that looks objects up, so that the next
   * piece need not wait for its start, and what git has packed anew meanwhile is not held on the disk; and another one
   * is there to describe a commit. Not at once: those for whom the work was done have the processors first.
   */
  rest(): void {
    this.#resting ??= setTimeout(() => this.#restNow(), REST_AFTER_MS).unref()
  }

  #restNow(): void {
    if (this.#resting === undefined || this.#closed) return
    clearTimeout(this.#resting)
    this.#resting = undefined
    this.#forget()
    this.#open().start()
    this.#describer.rest()
    this.#blobs.rest()
  }

  /** Ends the process that looks objects up as soon as it has answered; later questions are rejected. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#resting)
    this.#forget()
    this.#describer.close()
  }

  #forget(): void {
    this.#objects?.close()
    this.#objects = undefined
  }

  /** The process that looks objects up. */
  #ready(): Objects {
    if (this.#closed) throw new Error('the repository is not in use any more')
    return this.#objects ?? this.#open()
  }

  async #look(name: string, keep: number): Promise<GitObject | undefined> {
    const objects = this.#ready()
    return this.#recent.look(name, keep, () => objects.look(name, keep))
  }

  #open(): Objects {
    const place = this.#locate()
    if (this.#place !== place) {
      this.#recent.forget()
      this.#blobs.forget()
    }
    this.#place = place
    const args = ['cat-file', '--batch']
    return (this.#objects = new Objects(() => startGit(this.#start, args, ['pipe', 'pipe', 'pipe'])))
  }

  #locate(): string | undefined {
    const stats = tolerating(['ENOENT', 'ENOTDIR', 'EACCES'], () => statSync(this.path ?? '.'))
    return stats && `${stats.dev}:${stats.ino}`
  }

  /** As `#look`; but what is missing is asked of a new process, as the repository may have been replaced by another. */
  async #lookAgain(name: string, keep: number): Promise<GitObject | undefined> {
    const asked = this.#objects?.answered ? this.#objects : undefined
    const found = await this.#look(name, keep)
    if (found || !asked) return found
    if (this.#objects === asked) this.#forget()
    return this.#look(name, keep)
  }
}

/** A name in UTF-8 as a question is written: one character per byte. */
const bytesOf = (name: string): string => Buffer.from(name).toString('latin1')

/** How git names what is at a path in a commit or tree. */
const nameIn = (id: string, path: string): string => `${id}:${bytesOf(path)}`
