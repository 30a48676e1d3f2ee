// A job in a container of its own: detached, with limits, without a socket and with no directory of the host but the tool.

import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { Fatal, lasting, quote } from '../../../lib/base/exit.ts'
import { ROOT } from '../../../lib/base/root.ts'
import { optional, setting } from '../../../lib/base/settings.ts'
import { ask, askIf, findEngine } from '../../../lib/container/engine.ts'
import type { Engine } from '../../../lib/container/engine.ts'
import { containerFlags } from '../../../lib/container/flags.ts'
import { warn } from '../../../lib/system/log.ts'
import { imageOf } from './image.ts'
import type { Assigned, JobPlace } from './place.ts'
import { layTools, TOOLS, TREE_INSIDE } from './tool.ts'

/** Before the id of a job in the name of its container. */
const CONTAINER_PREFIX = 'jci-job-'
const nameOf = (id: string) => CONTAINER_PREFIX + id

/** Where the job's file is in its container. */
const JOB = '/jci-job.json'

export class Containers implements JobPlace {
  readonly #engine: Engine
  readonly #runner: string
  readonly #tools: string
  /** In milliseconds. */
  readonly #timeout: number
  /** Files of one job for a moment, its credential too. A runner that was killed may have left some. */
  readonly #scratch: string
  /** The containers that this runner has begun to make: their names, and when their time is over, in seconds since 1970. */
  readonly #begun = new Map<string, number>()
  /** The options that list what a runner of this name has made, by name. */
  readonly #ours: readonly string[]

  constructor(directory: string, runner: string, timeout: number) {
    this.#engine = findEngine()
    this.#runner = runner
    this.#ours = ['--filter', `label=jci-runner=${runner}`, '--format', '{{.Names}}']
    this.#timeout = timeout
    this.#scratch = join(directory, 'scratch')
    this.#tools = givenTools() ?? layTools(directory)
  }

  async start(job: Assigned): Promise<void> {
    const name = nameOf(job.job_id)
    const deadline = Math.floor((Date.now() + this.#timeout) / 1000)
    const image = (await imageOf(job, setting('JCI_SERVER'), this.#scratch)) ?? setting('JCI_IMAGE')
    const plan = {
      image,
      name,
      network: optional('JCI_NETWORK') ?? 'bridge',
      labels: {
        'jci-job': 'y',
        'jci-job-id': job.job_id,
        'jci-job-timeout': String(Math.floor(this.#timeout / 1000)),
        'jci-job-deadline': String(deadline),
        'jci-runner': this.#runner,
      },
      cpus: setting('JCI_CPUS'),
      memory: setting('JCI_MEMORY'),
      pids: setting('JCI_PIDS'),
      entrypoint: '/bin/sh',
      // The tool has its own node; what it runs finds the image's programs first.
      args: [
        '-c',
        `JCI_SCRIPT_PATH=$PATH:${TOOLS}/bin PATH=${TOOLS}/bin:$PATH; export PATH JCI_SCRIPT_PATH BASS_ROOT=${TREE_INSIDE}; . ${TREE_INSIDE}/lib/rc; exec node ${TREE_INSIDE}/dist/bin/jci/runner/job.js ${JOB}`,
      ],
    }
    this.#begun.set(name, deadline)
    // An earlier runner may have left one of this name.
    await askIf(this.#engine, 'remove a container', ['rm', '-f', name])
    const volumes = ['--volume', `${ROOT}:${TREE_INSIDE}:ro`, '--volume', `${this.#tools}:${TOOLS}:ro`]
    const create = ['create', ...volumes, ...containerFlags(plan)]
    await ask(this.#engine, `make the container '${name}'`, create).catch(async (error: unknown) => {
      throw await this.#explain(error, image)
    })
    const directory = mkdtempSync(join(this.#scratch, 'job-'))
    try {
      // By a file, because arguments and environments of containers are there for all to see.
      const file = join(directory, 'job')
      writeFileSync(file, JSON.stringify(job), { mode: 0o600 })
      await ask(this.#engine, `fill the container '${name}'`, ['cp', file, `${name}:${JOB}`])
      await ask(this.#engine, `start the container '${name}'`, ['start', name])
    } catch (error) {
      await this.#remove(name)
      throw error
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }

  /** Why a container could not be made: a lasting Fatal if there is no such image to be had, which no other try of the job would find. */
  async #explain(error: unknown, image: string): Promise<unknown> {
    const inspect = ['image', 'inspect', '--format', '{{.Id}}', image]
    if (!(error instanceof Fatal) || (await askIf(this.#engine, 'look at an image', inspect)) !== undefined)
      return error
    return lasting(`fetch the image ${quote(image)}`, error.cause)
  }

  /** Ends what an earlier runner of this name left. */
  async begin(): Promise<void> {
    rmSync(this.#scratch, { recursive: true, force: true })
    mkdirSync(this.#scratch, { mode: 0o700 })
    await this.#endEarlier()
  }

  /** Ends containers of an earlier runner of this name: one that was killed may have left an engine that was about to make one. */
  async #endEarlier(): Promise<void> {
    const now = Date.now() / 1000
    for (const [name, deadline] of this.#begun) if (deadline < now) this.#begun.delete(name)
    const names = await ask(this.#engine, 'list containers', ['ps', '-a', ...this.#ours])
    const earlier = names.split('\n').filter(name => name !== '' && !this.#begun.has(name))
    for (const name of earlier) await this.#remove(name)
  }

  async jobs(): Promise<string[]> {
    const names = await ask(this.#engine, 'list containers', ['ps', ...this.#ours])
    return names
      .split('\n')
      .filter(Boolean)
      .map(name => name.slice(CONTAINER_PREFIX.length))
  }

  /** Ends containers that are older than their label says. */
  async reap(): Promise<void> {
    await this.#endEarlier()
    for (const id of await this.#list('label=jci-job=y')) {
      const format = '{{index .Config.Labels "jci-job-deadline"}}'
      const deadline = Number(
        await askIf(this.#engine, 'look at a container', ['inspect', '--format', format, id]),
      )
      if (deadline > 0 && deadline * 1000 < Date.now()) await this.#remove(id)
    }
  }

  /** They go on without us. */
  stop(): Promise<void> {
    return Promise.resolve()
  }

  async #list(filter: string): Promise<string[]> {
    const ids = await ask(this.#engine, 'list containers', ['ps', '-a', '-q', '--filter', filter])
    return ids.split('\n').filter(id => id !== '')
  }

  async #remove(id: string): Promise<void> {
    try {
      await ask(this.#engine, 'remove a container', ['rm', '-f', id])
    } catch (error) {
      warn('remove the container', id, error)
    }
  }
}

/** The directory that JCI_BINARY names; undefined if that is not set. Throws Fatal if no node is in it. */
function givenTools(): string | undefined {
  const given = optional('JCI_BINARY')
  if (given === undefined || existsSync(join(given, 'bin/node'))) return given && resolve(given)
  throw lasting('read the setting JCI_BINARY', `${quote(given)} holds no bin/node`)
}
