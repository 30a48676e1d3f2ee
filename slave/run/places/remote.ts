// The place of steps in a container or on another machine: an executor there runs them, on a copy of what the job has here,
// and what they leave for it comes back at the end. Their logs, limits and verdicts are made here, as in any place.

import { closeSync, write } from 'node:fs'
import { promisify } from 'node:util'

import { EXIT, Fatal, lasting, quote, temporary } from '../../../lib/base/exit.ts'
import { sizeLimit } from '../../../lib/base/settings.ts'
import { unlessStopped } from '../../../lib/base/stop.ts'
import { writeS2 } from '../../../lib/bundle/s2.ts'
import { bringBack } from '../../../lib/exec/bring-back.ts'
import type { RemoteExecution } from '../../../lib/exec/remote-execution.ts'
import { findEngine } from '../../../lib/container/engine.ts'
import { tryEngine } from '../../../lib/exec/host-image.ts'
import { openContainer } from '../../../lib/exec/in-container.ts'
import type { ContainerWish } from '../../../lib/exec/in-container.ts'
import type { Opened } from '../../../lib/exec/launch.ts'
import { listTree, toName } from '../../../lib/exec/listing.ts'
import { openOverSsh } from '../../../lib/exec/over-ssh.ts'
import { itemsBelow, tarOf } from '../../../lib/exec/pack.ts'
import type { TaskResult } from '../../../lib/exec/protocol.ts'
import { say } from '../../../lib/system/log.ts'
import { JOB } from '../../../lib/spool/job-files.ts'
import type { ProcessEnd } from '../../../lib/spool/job-files.ts'
import type { User } from '../../../lib/system/user.ts'
import { LeftOut } from './left-out.ts'
import { asUser } from './local-process.ts'
import { MachineFault } from './machine-fault.ts'
import type { Place, StepCommand, StepProcess } from './place.ts'
import { StartedStep } from './started-step.ts'
import { give } from './step-user.ts'

const writeAsync = promisify(write)

/** What comes back of the temporary directory of a job. */
const ARTIFACTS = JOB.artifacts

/** The directories of a job here that its steps are to have there. */
export interface Baggage {
  readonly work: string
  readonly cache?: string | undefined
  /** Whom its steps run as there, and what they leave in the cache belongs to. */
  readonly user?: User | undefined
  /** Nobody waits for the job any more: then neither is waited for what the executor does, which may take for ever. */
  readonly stop?: AbortSignal | undefined
}

/** Opens a container. Only root in it can run a step as another user. */
export async function openContainerPlace(wish: ContainerWish, baggage: Baggage): Promise<Place> {
  const asRoot = baggage.user ? { user: '0' } : {}
  const opened = await openContainer({ ...wish, ...asRoot }, process.env, baggage.stop).catch(
    async (error: unknown) => {
      throw baggage.stop?.aborted ? error : await blame(error)
    },
  )
  return fill(new RemotePlace(opened, baggage, []), baggage)
}

/**
 * Whose fault a container is that could not be had: an engine that can run no other one either is this machine's. What the task
 * names, an image or a registry, is the task's.
 */
async function blame(error: unknown): Promise<unknown> {
  if (!isPassing(error)) return error
  try {
    await tryEngine(findEngine())
    return error
  } catch (fault) {
    return isPassing(fault) ? new MachineFault('run any container', fault.cause) : error
  }
}

const isPassing = (error: unknown): error is Fatal =>
  error instanceof Fatal && error.exitCode === EXIT.temporary

/** Opens a place on a machine that ssh reaches. A user of this machine is nobody there. */
export async function openSshPlace(
  host: string,
  { user, ...baggage }: Baggage,
  procs: number | undefined,
): Promise<Place> {
  if (user && !host.includes('@'))
    throw lasting(
      `run steps on ${quote(host)} as ${quote(user.name)}`,
      `there they are whom ssh logs in as: name that user, as in RUN_IN=ssh:USER@${host}`,
    )
  const bounds = asUser(procs === undefined ? {} : { procs })
  const opened = await openOverSsh(host, process.env, baggage.stop)
  return fill(new RemotePlace(opened, baggage, bounds), baggage)
}

async function fill(place: RemotePlace, { stop }: Baggage): Promise<Place> {
  try {
    await unlessStopped(place.fill(), stop)
    return place
  } catch (error) {
    await place.close()
    throw error
  }
}

class RemotePlace implements Place {
  readonly #launched: Opened
  readonly #baggage: Baggage
  /** What comes before the command of a step. */
  readonly #before: readonly string[]
  /** Paths here, and where each is there. */
  readonly #map: readonly (readonly [here: string, there: string])[]

  constructor(launched: Opened, baggage: Baggage, before: readonly string[]) {
    this.#launched = launched
    this.#baggage = baggage
    this.#before = before
    // A cache may be in the temporary directory.
    this.#map = [
      ...(baggage.cache === undefined ? [] : [[baggage.cache, `${launched.place}-cache`] as const]),
      [baggage.work, launched.place],
    ]
  }

  /** Copies what the job has; a cache that is in the temporary directory goes with that. */
  async fill(): Promise<void> {
    const leftOut = new LeftOut(text => say('warning', text))
    for (const [here, there] of this.#map) {
      const names = [...(await listTree(here, leftOut.add)).keys()]
      await this.#launched.client.put(
        there,
        writeS2(tarOf(itemsBelow(toName(here), names), leftOut.add)),
        this.#user,
      )
    }
    leftOut.end()
  }

  /** By its numbers here: an image may not know its name, or give it to root. */
  get #user(): string {
    const { user } = this.#baggage
    return user ? `${user.uid}:${user.gid}` : ''
  }

  /** Steps name paths of here in their environment. */
  #there(text: string): string {
    const found = this.#map.find(([here]) => text === here || text.startsWith(`${here}/`))
    return found ? found[1] + text.slice(found[0].length) : text
  }

  #surroundings({ directory, env }: Pick<StepCommand, 'directory' | 'env'>) {
    // The programs are those of the image or the machine, and so is the way to them.
    const entries = Object.entries(env).filter(([name]) => name !== 'PATH')
    return {
      directory: this.#there(directory),
      environment: Object.fromEntries(entries.map(([name, value]) => [name, this.#there(value)])),
      inherit: true,
      user: this.#user,
    }
  }

  async start(step: StepCommand): Promise<StepProcess> {
    const command = [...this.#before, ...step.command.map(word => this.#there(word))]
    const execution = this.#launched.client.execute(
      { ...this.#surroundings(step), name: command.at(-1)!, command },
      {
        output: (stream, data) => writeAll(stream === 1 ? step.stdout : step.stderr, data),
        log: ({ level, message }) =>
          level === 'warning' && say('warning', `${command.at(-1)!} there: ${message}`),
      },
    )
    return Promise.resolve(new RemoteProcess(execution, step))
  }

  /** The environment, which may hold secrets, goes there as those of steps do, and into a file: no argument shows it. */
  async shell(step: Pick<StepCommand, 'directory' | 'env'>): Promise<string[]> {
    const file = `${this.#there(this.#baggage.work)}/.shell-env`
    const command = ['sh', '-c', 'umask 077 && export -p >"$1"', 'sh', file]
    const surroundings = this.#surroundings(step)
    const { error, exitCode } = await this.#launched.client.execute({ ...surroundings, command }).result
    if (error !== '' || exitCode !== 0)
      throw lasting('open a shell there', error === '' ? `its sh exits with ${exitCode}` : error)
    const begin = '. "$0"; if command -v bash >/dev/null; then exec bash; fi; exec sh'
    return this.#launched.atTerminal(['sh', '-c', begin, file], surroundings.directory, this.#user)
  }

  finish(): Promise<void> {
    return unlessStopped(this.#finish(), this.#baggage.stop)
  }

  async #finish(): Promise<void> {
    const { client } = this.#launched
    const maxBytes = sizeLimit('BUNDLE_MAX')
    for (const [here, there] of this.#map) {
      const outputRoots = here === this.#baggage.work ? [ARTIFACTS] : []
      const wish = {
        name: 'what the steps left',
        contentRoot: there,
        outputRoots,
        wantArchive: true,
      }
      const result = await client.execute(wish, {
        log: ({ level, message }) => level === 'warning' && say('warning', message),
      }).result
      if (result.error !== '') throw temporary('bring back what the steps left', result.error)
      if (here === this.#baggage.work)
        await bringBack(client, result, here, 'ignored', { maxBytes, only: ARTIFACTS })
      else
        await bringBack(client, result, here, 'deleted', { maxBytes, own: directory => this.#own(directory) })
    }
  }

  /** A step on this machine may be the next to use the cache. */
  async #own(directory: string): Promise<void> {
    if (this.#baggage.user) await give(this.#baggage.user, toName(directory))
  }

  close(): Promise<void> {
    return this.#launched.close()
  }
}

async function writeAll(fd: number, data: Buffer): Promise<void> {
  for (let at = 0; at < data.length;)
    at += (await writeAsync(fd, data, at, data.length - at, null)).bytesWritten
}

class RemoteProcess extends StartedStep {
  readonly #execution: RemoteExecution

  constructor(execution: RemoteExecution, { stdout, stderr }: StepCommand) {
    super(
      execution.result.then(endOf).finally(() => {
        for (const fd of [stdout, stderr]) closeSync(fd)
      }),
    )
    this.#execution = execution
  }

  protected override send(name: NodeJS.Signals): void {
    this.#execution.signal(name.slice(3))
  }

  protected override kill(): void {
    this.#execution.cancel()
  }

  /** The executor has seen to it before it said how the step ended. */
  override async leave(): Promise<void> {
    return Promise.resolve()
  }
}

function endOf({ error, signal, exitCode }: TaskResult): ProcessEnd {
  if (error !== '') throw temporary('run the step there', error)
  return signal === '' ? { code: exitCode } : { signal }
}
