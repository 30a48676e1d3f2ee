// The container engine of this machine or of another one: podman or docker, through their command lines, which take the
// same flags. Nothing here mounts a directory, so that an engine elsewhere (DOCKER_HOST, CONTAINER_HOST) does as well.

import { basename } from 'node:path'
import { pipeline } from 'node:stream/promises'

import { Fatal, lasting, quote, temporary } from '../base/exit.ts'
import { optional, words } from '../base/settings.ts'
import { findProgram } from '../system/program.ts'
import type { Environment } from '../base/settings.ts'
import { run, start } from '../system/run.ts'

export interface Engine {
  readonly name: 'podman' | 'docker'
  /** The program and the options that come before its verb. */
  readonly command: readonly string[]
  readonly env: Environment
  /** What it is asked ends when this aborts. */
  readonly stop?: AbortSignal | undefined
}

/** The engines in the order in which they are looked for, and what names one of that kind elsewhere. */
const ENGINES = [
  { name: 'podman', remote: 'CONTAINER_HOST' },
  { name: 'docker', remote: 'DOCKER_HOST' },
] as const

/**
 * The engine that CONTAINER names (it may have options, as `podman --root DIR`), else whichever is in PATH. Each knows only its
 * own variable for an engine elsewhere, so where one is set no other engine is taken.
 */
export function findEngine(env: Environment = process.env): Engine {
  const [program, ...options] = words('CONTAINER', env)
  if (program === undefined) {
    const asked = ENGINES.filter(({ remote }) => optional(remote, env) !== undefined)
    const [first] = asked
    const name = (first ? asked : ENGINES).find(({ name }) => findProgram(name, env) !== undefined)?.name
    if (name === undefined && first)
      throw lasting('run a container', `${first.remote} is set, and there is no ${first.name} that reads it`)
    if (name === undefined)
      throw lasting('run a container', "there is neither podman nor docker; 'apt-get install podman'")
    return { name, command: [name], env }
  }
  const name = basename(program)
  if (name !== 'podman' && name !== 'docker')
    throw lasting('read the setting CONTAINER', `${quote(program)} is neither podman nor docker`)
  return { name, command: [program, ...options], env }
}

/** Most bytes that an engine may answer. */
const ANSWER_MAX = 64 << 20

/**
 * Has the engine do something and returns what it prints, trimmed. `attempt` completes "unable to". Throws a Fatal with
 * the last sentence of the engine: a lasting one where it cannot be run at all.
 */
export async function ask(engine: Engine, attempt: string, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run([...engine.command, ...args], {
    env: engine.env,
    signal: engine.stop,
  }).catch((error: unknown) => {
    throw lasting(attempt, error)
  })
  if (code !== 0) throw temporary(attempt, complaintOf(engine, stderr))
  return stdout.trim()
}

/** As `ask`, where a refusal is an answer too: then undefined. */
export async function askIf(
  engine: Engine,
  attempt: string,
  args: readonly string[],
): Promise<string | undefined> {
  try {
    return await ask(engine, attempt, args)
  } catch (error) {
    if (error instanceof Fatal && error.exitCode === 111) return undefined
    throw error
  }
}

/** Has the engine do something with these bytes on its standard input. Throws a Fatal as `ask` does. */
export async function feed(
  engine: Engine,
  attempt: string,
  args: readonly string[],
  source: AsyncIterable<Buffer>,
): Promise<void> {
  const child = start([...engine.command, ...args], {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: engine.env,
    signal: engine.stop,
  })
  let complaint = ''
  child.stderr.on('data', (bytes: Buffer) => (complaint = (complaint + bytes.toString()).slice(-ANSWER_MAX)))
  const ended = new Promise<number | null>((done, fail) => child.on('error', fail).on('close', done))
  // An engine that ends early says why, and the pipe only that it did.
  const fed = pipeline(source, child.stdin).catch((error: unknown) => error)
  const [code, broken] = await Promise.all([ended, fed])
  if (code !== 0) throw temporary(attempt, complaintOf(engine, complaint))
  if (broken !== undefined) throw temporary(attempt, broken)
}

/** An engine ends with a word about its help, which says nothing. */
const HINT = /^(See|Run) '.*--help/

/** The last line of what an engine says on standard error, without its prefix. Pure. */
export function complaintOf(engine: Pick<Engine, 'name'>, stderr: string): string {
  const lines = stderr.split('\n').filter(line => line.trim() !== '')
  const last = lines.filter(line => !HINT.test(line)).at(-1) ?? ''
  return `${engine.name}: ${last.replace(/^(Error: |docker: |Error response from daemon: )+/, '').slice(0, 500)}`
}
