// Starts git: the one place that does. Arguments go as a list, never through a shell, and what a user named goes behind
// `--end-of-options` or to standard input. The environment leads git to the repository that is meant and to no other,
// and its messages are in one language, because some are matched and all stand in ours.

import type { ChildProcess, StdioOptions } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { dirname } from 'node:path'

import { tolerating } from '../base/errno.ts'
import { lasting, notStarted, quote } from '../base/exit.ts'
import { runSync, start } from '../system/run.ts'
import type { Ran } from '../system/run.ts'

/** Git was asked and said no; the message is its own sentence. */
export class GitError extends Error {
  override name = 'GitError'
}

/** Those of `git rev-parse --local-env-vars` that say which repository is meant, where it is, and what of it is seen. */
const LOCAL = new Set([
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_COMMON_DIR',
  'GIT_DIR',
  'GIT_GRAFT_FILE',
  'GIT_IMPLICIT_WORK_TREE',
  'GIT_INDEX_FILE',
  'GIT_NAMESPACE',
  'GIT_OBJECT_DIRECTORY',
  'GIT_PREFIX',
  'GIT_SHALLOW_FILE',
  'GIT_WORK_TREE',
])

/** The environment of a git that is told its repository by arguments: in a hook, ours has variables that name another. */
export const gitEnvironment = (): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !LOCAL.has(name))),
  LC_ALL: 'C',
})

/** As `gitEnvironment`, for a repository that is at `path` and not around it. */
export function environmentAt(path: string): NodeJS.ProcessEnv {
  const real = tolerating(['ENOENT', 'ENOTDIR', 'EACCES'], () => realpathSync(path)) ?? path
  // The commit itself is tested: no `git replace` of one repository changes it.
  return { ...gitEnvironment(), GIT_CEILING_DIRECTORIES: dirname(real), GIT_NO_REPLACE_OBJECTS: '1' }
}

export interface Ended {
  /** Its exit code; null if a signal ended it. */
  readonly code: number | null
  readonly stderr: string
}

export interface Start {
  /** Where git runs; undefined for the current directory. */
  readonly place: string | undefined
  readonly env: NodeJS.ProcessEnv
  /** Kills git when it aborts. */
  readonly signal?: AbortSignal | undefined
}

/** Starts git. The caller meets its end with `ended`. */
export function startGit(
  { place, env, signal }: Start,
  args: readonly string[],
  stdio: StdioOptions,
): ChildProcess {
  return start(commandAt(place, args), { env, stdio, signal })
}

const commandAt = (place: string | undefined, args: readonly string[]): readonly string[] => [
  'git',
  ...(place === undefined ? [] : ['-C', place]),
  ...args,
]

/** A git that has ended, and what it printed. */
export interface Printed extends Ended {
  readonly stdout: Buffer
}

/** Runs git to its end with `input` on its standard input. Throws Fatal if it cannot be started. */
export function runGit(
  { place, env, signal }: Start,
  args: readonly string[],
  input?: string | Buffer,
): Promise<Printed> {
  // What may be ended is the leader of a group.
  const detached = signal !== undefined
  const child = start(commandAt(place, args), { env, stdio: ['pipe', 'pipe', 'pipe'], signal, detached })
  const printed = printedBy(child)
  if (signal) endGroup(child, signal)
  child.stdin.end(input)
  return printed
}

/** Ends with git the programs that speak to servers for it: they would wait for these without it, and hold our pipes. */
function endGroup(child: ChildProcess, signal: AbortSignal): void {
  const { pid } = child
  if (pid === undefined) return
  const end = () => void tolerating(['ESRCH', 'EPERM'], () => process.kill(-pid, 'SIGTERM'))
  signal.addEventListener('abort', end, { once: true })
  child.on('close', () => signal.removeEventListener('abort', end))
  if (signal.aborted) end()
}

/** A git that is to run later. */
export interface Parked {
  /** Runs it, with these words behind the arguments that it has. */
  run(words: readonly string[]): Promise<Printed>
  /** Ends it without that. */
  close(): void
}

/**
 * Makes a process ready that becomes git when it is told the rest of the arguments: to start one takes a Node of our size some
 * milliseconds in which it can do nothing else. The words have no white space.
 */
export function parkGit({ place, env, signal }: Start, args: readonly string[]): Parked {
  const become = ['sh', '-fc', 'read -r words && exec "$@" $words', 'sh', ...commandAt(place, args)]
  const child = start(become, { env, stdio: ['pipe', 'pipe', 'pipe'], signal })
  const printed = printedBy(child)
  // Whoever runs it hears what happened before.
  printed.catch(() => undefined)
  return {
    run: words => {
      child.stdin.end(words.join(' ') + '\n')
      return printed
    },
    close: () => child.stdin.end(),
  }
}

async function printedBy(child: ChildProcess): Promise<Printed> {
  const chunks: Buffer[] = []
  // Where no process could be made there are no pipes either.
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  // Git may end before it has read all; its exit code says so.
  child.stdin?.on('error', () => undefined)
  const end = await ended(child)
  return { ...end, stdout: Buffer.concat(chunks) }
}

/** Resolves when git has ended and its output is read; throws if it could not be started or was aborted. */
export function ended(child: ChildProcess): Promise<Ended> {
  let stderr = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    if (stderr.length < 10_000) stderr += text
  })
  return new Promise((resolve, reject) => {
    child.on('error', error => {
      const unstarted = (error as NodeJS.ErrnoException).syscall?.startsWith('spawn') === true
      reject(unstarted ? notStarted('git', error) : error)
    })
    child.on('close', code => resolve({ code, stderr }))
  })
}

/** What git says first of an object that is damaged; which one it is comes later. */
const OF_ZLIB = /^error: (?:inflate: |unable to unpack )/

/** Why git failed, in its own words: the first line that is fatal or an error, else the last one. Pure. */
export function sentence({ code, stderr }: Ended): string {
  const lines = stderr.split('\n').filter(line => line.trim() !== '' && !OF_ZLIB.test(line))
  const line = lines.find(line => /^(fatal|error): /.test(line)) ?? lines.at(-1)
  if (line !== undefined) return line.replace(/^(fatal|error): /, '').trim()
  return code === null ? 'it was killed' : `it ended with exit code ${code}`
}

// --- For the people's verbs, which have nothing else to do meanwhile.

/** Runs git to its end. Throws Fatal if it cannot be started. */
function ask(repository: string, args: readonly string[]): Ran {
  return runSync(['git', '-C', repository, ...args], { env: gitEnvironment() })
}

const textOf = ({ stdout }: Ran): string => stdout.trimEnd()

const unusable = (repository: string, end: Ended) =>
  lasting(`use the repository ${quote(repository)}`, sentence(end))

/** Returns what git prints, without the line feed at its end. Throws Fatal with git's own sentence if it fails. */
export function git(repository: string, ...args: string[]): string {
  const end = ask(repository, args)
  if (end.code !== 0) throw unusable(repository, end)
  return textOf(end)
}

/**
 * Asks a question that git may answer with no, which is exit code 1: what git prints, or undefined. Throws Fatal with git's
 * own sentence if it fails otherwise, as in a repository that it does not trust.
 */
export function askGit(repository: string, ...args: string[]): string | undefined {
  const end = ask(repository, args)
  if (end.code === 0) return textOf(end)
  if (end.code === 1) return undefined
  throw unusable(repository, end)
}

/** As `git`, or undefined if git fails for whatever reason. */
export function tryGit(repository: string, ...args: string[]): string | undefined {
  const end = ask(repository, args)
  return end.code === 0 ? textOf(end) : undefined
}
