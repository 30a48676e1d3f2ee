// What we ask git. Arguments go as a list, never through a shell, and what a user named goes behind
// `--end-of-options` or to standard input. Bare and ordinary repositories, SHA-1 and SHA-256 are all the same to us.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

import { tolerating } from '../base/errno.ts'
import { lasting, quote, temporary } from '../base/exit.ts'
import { gitEnvironment } from './git-environment.ts'

/** Git was asked and said no; the message is its own sentence. */
export class GitError extends Error {
  override name = 'GitError'
}

/** The command that git wrote an archive through failed; the message is its own sentence. */
export class FilterError extends Error {
  override name = 'FilterError'
}

export interface Commit {
  readonly id: string
  /** When it was committed, in seconds since 1970. */
  readonly time: number
}

interface GitObject {
  readonly id: string
  readonly type: string
  readonly body: Buffer
}

/**
 * A repository. It keeps one git process to look objects up with, from the first look-up until `close`; `rest` has the
 * next one ready. An aborted `signal` kills what runs for it.
 */
export class Repository {
  readonly path: string | undefined
  readonly #environment: NodeJS.ProcessEnv
  readonly #signal: AbortSignal | undefined
  #objects: Objects | undefined
  /** The directory in which that process was started: another one of the same path may have taken its place. */
  #place: string | undefined
  #undescribed: Question<Buffer | undefined>[] = []
  #closed = false

  /** The repository at a path, in it and not around it; without one, that of the current directory, as git finds it. */
  constructor(path?: string, signal?: AbortSignal) {
    this.path = path
    this.#signal = signal
    // Messages are matched, and stand in ours.
    this.#environment = { ...(path === undefined ? process.env : gitEnvironment()), LC_ALL: 'C' }
    if (path === undefined) return
    const real = tolerating(['ENOENT', 'ENOTDIR', 'EACCES'], () => realpathSync(path)) ?? path
    this.#environment['GIT_CEILING_DIRECTORIES'] = dirname(real)
  }

  /** Throws Fatal if this is no repository that git can read. */
  async check(): Promise<void> {
    if (this.#objects && this.#place !== this.#locate()) this.#forget()
    try {
      // An object that is never there: all that matters is that git answers.
      await this.#look('')
    } catch (error) {
      throw temporary(`use the repository ${quote(this.path ?? '.')}`, error)
    }
  }

  /** The commit that a revision names, through tags; undefined if it names none. */
  async commit(revision: string): Promise<Commit | undefined> {
    const object = await this.#lookAgain(`${revision}^{commit}`)
    if (object?.type !== 'commit') return undefined
    const header = object.body.toString('latin1').split('\n\n', 1)[0]!
    return { id: object.id, time: Number(/^committer .* (\d+) [-+]\d+$/m.exec(header)?.[1] ?? 0) }
  }

  /** The id of a directory in a commit; undefined if it has none of that name. */
  async tree(commit: string, path: string): Promise<string | undefined> {
    const object = await this.#look(`${commit}:${path}`)
    return object?.type === 'tree' ? object.id : undefined
  }

  /** The shortest beginning of an object's id, of 7 digits or more, that names it and nothing else. */
  async shorten(id: string): Promise<string> {
    for (let length = 7; length < id.length; length++) {
      if ((await this.#look(id.slice(0, length)))?.id === id) return id.slice(0, length)
    }
    return id
  }

  /**
   * The nearest tag of a commit, as `TAG` or `TAG-N-gID`, in the bytes it has; undefined if there is none. What is asked
   * in one turn of the event loop is asked of one process.
   */
  describe(revision: string): Promise<Buffer | undefined> {
    return new Promise((resolve, reject) => {
      const asked = this.#undescribed.push({ name: revision, resolve, reject })
      if (asked === 1) setImmediate(() => void this.#describeAll(this.#undescribed.splice(0)))
    })
  }

  async #describeAll(questions: readonly Question<Buffer | undefined>[]): Promise<void> {
    try {
      const names = questions.map(({ name }) => `${name}^{commit}`)
      const end = await this.#run(['describe', '--tags', '--long', '--end-of-options', ...names])
      const lines = end.stdout.toString('latin1').split('\n')
      if (end.code === 0) {
        questions.forEach(({ resolve }, i) =>
          resolve(Buffer.from(lines[i]!.replace(/-0-g[0-9a-f]+$/, ''), 'latin1')),
        )
      } else if (/^fatal: No names /m.test(end.stderr))
        for (const { resolve } of questions) resolve(undefined)
      // Git gives up at the first that it cannot describe.
      else if (questions.length > 1) for (const question of questions) void this.#describeAll([question])
      else if (/^fatal: No tags /m.test(end.stderr)) questions[0]!.resolve(undefined)
      else {
        const isUnknown = /^fatal: Not a valid object name /m.test(end.stderr)
        throw new GitError(isUnknown ? 'no such commit' : sentence(end))
      }
    } catch (error) {
      for (const { reject } of questions) reject(error)
    }
  }

  /** Commits, each with its time, in the order of `git rev-list --reverse`. */
  async inOrder(commits: readonly Commit[]): Promise<string[]> {
    const wanted = new Set(commits.map(commit => commit.id))
    // The walk need not go beyond the oldest of them.
    const oldest = Math.min(...commits.map(commit => commit.time))
    const end = await this.#run(
      ['rev-list', '--reverse', '--date-order', `--max-age=${oldest}`, '--stdin'],
      [...wanted].join('\n') + '\n',
    )
    if (end.code !== 0) throw new GitError(sentence(end))
    return end.stdout
      .toString()
      .split('\n')
      .filter(id => wanted.has(id))
  }

  /**
   * Writes the archive of a commit or tree, by its id, to an open file, through a command of sh. Git starts that itself,
   * which costs a fraction of what a process of Node does. Throws GitError, or FilterError if the command failed.
   */
  async archive(id: string, filter: string, to: number): Promise<void> {
    const settings = ['-c', 'tar.umask=0022', '-c', `tar.filtered.command=${filter}`]
    const child = this.#start([...settings, 'archive', '--format=filtered', id], ['ignore', to, 'pipe'])
    const end = await ended(child, 'git')
    if (end.code === 0) return
    const others = end.stderr.replace(/^fatal: .* filter reported error$/m, '')
    // What cannot go on writing to it, the system kills.
    if (end.code === null || others !== end.stderr)
      throw new FilterError(sentence({ ...end, stderr: others }))
    throw new GitError(sentence(end))
  }

  /**
   * For the end of a piece of work: a new process takes the place of the one that looks objects up, so that the next
   * piece need not wait for its start, and what git has packed anew meanwhile is not held on the disk.
   */
  rest(): void {
    this.#forget()
    this.#open().start()
  }

  /** Ends the process that looks objects up. What is asked later, by those who have not heard of it, fails. */
  close(): void {
    this.#closed = true
    this.#forget()
  }

  #forget(): void {
    this.#objects?.close()
    this.#objects = undefined
  }

  #start(args: readonly string[], stdio: readonly ('ignore' | 'pipe' | number)[]): ChildProcess {
    const place = this.path === undefined ? [] : ['-C', this.path]
    return spawn('git', [...place, ...args], {
      env: this.#environment,
      stdio: [...stdio],
      ...(this.#signal ? { signal: this.#signal } : {}),
    })
  }

  async #run(args: readonly string[], input?: string): Promise<Ended & { stdout: Buffer }> {
    const child = this.#start(args, ['pipe', 'pipe', 'pipe'])
    const chunks: Buffer[] = []
    child.stdout!.on('data', (chunk: Buffer) => chunks.push(chunk))
    child.stdin!.on('error', () => undefined).end(input)
    const end = await ended(child, 'git')
    return { ...end, stdout: Buffer.concat(chunks) }
  }

  #look(name: string): Promise<GitObject | undefined> {
    if (this.#closed) return Promise.reject(new Error('the repository is not in use any more'))
    return (this.#objects ?? this.#open()).look(name)
  }

  #open(): Objects {
    this.#place = this.#locate()
    return (this.#objects = new Objects(() => this.#start(['cat-file', '--batch'], ['pipe', 'pipe', 'pipe'])))
  }

  #locate(): string | undefined {
    const stats = tolerating(['ENOENT', 'ENOTDIR', 'EACCES'], () => statSync(this.path ?? '.'))
    return stats && `${stats.dev}:${stats.ino}`
  }

  /** As `#look`; but what is missing is asked of a new process, as the repository may have been replaced by another. */
  async #lookAgain(name: string): Promise<GitObject | undefined> {
    const asked = this.#objects?.answered ? this.#objects : undefined
    const found = await this.#look(name)
    if (found || !asked) return found
    if (this.#objects === asked) this.#forget()
    return this.#look(name)
  }
}

/** Looks objects up in one `git cat-file --batch`: answers come in the order of the questions. */
class Objects {
  readonly #start: () => ChildProcess
  #child: ChildProcess | undefined
  #waiting: Question<GitObject | undefined>[] = []
  #bytes = Buffer.alloc(0)
  #closed = false
  /** True once it has answered anything. */
  answered = false

  constructor(start: () => ChildProcess) {
    this.#start = start
  }

  look(name: string): Promise<GitObject | undefined> {
    // One line is one question.
    if (/[\n\0]/.test(name)) return Promise.resolve(undefined)
    return new Promise((resolve, reject) => this.#ask({ name, resolve, reject }))
  }

  /** Ends the process as soon as it has answered what was asked. */
  close(): void {
    this.#closed = true
    this.#child?.stdin!.end()
  }

  /** Starts the process before there is a question. */
  start(): void {
    this.#child ??= this.#open()
  }

  #ask(question: Question<GitObject | undefined>): void {
    this.#waiting.push(question)
    this.start()
    this.#child!.stdin!.write(question.name + '\n')
  }

  #open(): ChildProcess {
    const child = this.#start()
    child.stdin!.on('error', () => undefined)
    child.stdout!.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk])
      while (this.#waiting.length > 0 && this.#answer());
    })
    ended(child, 'git').then(
      end => this.#died(new GitError(sentence(end))),
      (error: unknown) => this.#died(error),
    )
    return child
  }

  /** Takes one answer off what was read; false if it is not complete yet. */
  #answer(): boolean {
    const line = this.#bytes.indexOf('\n')
    if (line < 0) return false
    const [, id, type, size] =
      /^([0-9a-f]{40,64}) (\w+) (\d+)$/.exec(this.#bytes.toString('latin1', 0, line)) ?? []
    const end = line + 1 + (size === undefined ? 0 : Number(size) + 1)
    if (this.#bytes.length < end) return false
    const body = this.#bytes.subarray(line + 1, end - 1)
    this.#bytes = this.#bytes.subarray(end)
    this.answered = true
    this.#waiting.shift()!.resolve(id === undefined ? undefined : { id, type: type!, body })
    return true
  }

  /** What it died of is the answer to the question it was at; the others are put to another process. */
  #died(error: unknown): void {
    const [first, ...others] = this.#waiting
    this.#child = undefined
    this.#waiting = []
    this.#bytes = Buffer.alloc(0)
    first?.reject(error)
    for (const question of others) this.#ask(question)
    if (this.#closed && others.length > 0) this.close()
  }
}

interface Question<Answer> {
  readonly name: string
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

export interface Ended {
  /** Its exit code; null if a signal ended it. */
  readonly code: number | null
  readonly stderr: string
}

/** Resolves when a child has ended and its output is read; throws if it could not be started or was aborted. */
function ended(child: ChildProcess, program: string): Promise<Ended> {
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (stderr.length < 10_000) stderr += text
  })
  return new Promise((resolve, reject) => {
    child.on('error', error => {
      const missing = (error as NodeJS.ErrnoException).syscall?.startsWith('spawn') === true
      reject(missing ? lasting(`run ${quote(program)}`, error) : error)
    })
    child.on('close', code => resolve({ code, stderr }))
  })
}

/** Why a program failed, in its own words: the first line that is fatal or an error, else the last one. Pure. */
export function sentence({ code, stderr }: Ended): string {
  const lines = stderr.split('\n').filter(line => line.trim() !== '')
  const line = lines.find(line => /^(fatal|error): /.test(line)) ?? lines.at(-1)
  if (line !== undefined) return line.replace(/^(fatal|error): /, '').trim()
  return code === null ? 'it was killed' : `it ended with exit code ${code}`
}
