// Which place a job's steps get: as ISOLATE says and this machine can.

import { EXECUTOR_THREADS } from '../../../lib/base/elsewhere.ts'
import type { ContainerBounds, Elsewhere } from '../../../lib/base/elsewhere.ts'
import { EXIT, Fatal, lasting, temporary } from '../../../lib/base/exit.ts'
import { say } from '../../../lib/system/log.ts'
import { failureOf, run } from '../../../lib/system/run.ts'
import { MachineFault } from './machine-fault.ts'
import { NamespacePlace } from './namespace.ts'
import type { OwnPipes, Place, StepCommand, StepProcess } from './place.ts'
import type { Pools } from './pools.ts'
import type { User } from '../../../lib/system/user.ts'
import { SandboxPlace, sandboxFlags } from './sandbox.ts'
import { SessionPlace } from './session.ts'

export const ISOLATE = ['auto', 'pid', 'bwrap', 'no'] as const
export type Isolate = (typeof ISOLATE)[number]

/** Compares the ways of isolation, for the help of the commands that run steps. */
export const ISOLATION_HELP = `Each step runs in a pid namespace of its own where 'unshare' and 'nsenter' can make one (ISOLATE=pid,
or auto): whatever it started ends with it, also daemons, and also when this program is killed. Without
(ISOLATE=no, or auto where it cannot be done) its session is killed, and every process that has its
TMPDIR in the environment; that misses what began a session of its own with a clean environment.
With ISOLATE=bwrap, bubblewrap makes a sandbox for each step: all but the job's directories is read-only,
/tmp, /run and /dev are its own, and with STEP_NETWORK=no there is no network. IMAGE and RUN_IN run the
steps elsewhere: in a container, with the numbers of STEP_USER, or on another machine, as whom ssh logs in as.`

export interface PlaceOptions {
  readonly isolate: Isolate
  /** False takes the network from steps in a sandbox. */
  readonly network?: boolean
  /** Where steps run, if not here, and what a container may use. */
  readonly elsewhere?: Elsewhere | undefined
  readonly container?: ContainerBounds
  /** Who steps are, if not ourselves, and how many processes that user may have: for a place elsewhere. */
  readonly user?: User | undefined
  readonly procs?: number
  readonly stop?: AbortSignal
  /** The job's temporary directory, and its cache. */
  readonly work: string
  readonly cache?: string | undefined
}

/** Opens the place of one job. */
export type OpenPlace = (options: PlaceOptions, pools: Pools) => Promise<Place>

export const openPlace: OpenPlace = async (options, pools) => {
  const { elsewhere, container = { network: 'none' }, procs, ...baggage } = options
  if (!elsewhere || 'here' in elsewhere) return openHere(options, pools)
  const { openContainerPlace, openSshPlace } = await import('./remote.ts')
  return 'host' in elsewhere
    ? openSshPlace(elsewhere.host, baggage, procs)
    : openContainerPlace(
        { image: elsewhere.image, bounds: procs === undefined ? container : within(container, procs) },
        baggage,
      )
}

/** A kernel bounds the processes of a container, whoever they belong to. */
const within = (bounds: ContainerBounds, procs: number): ContainerBounds => ({
  pids: String(procs + EXECUTOR_THREADS),
  ...bounds,
})

function openHere({ isolate, network = true, work, cache }: PlaceOptions, pools: Pools): Place {
  switch (isolate) {
    case 'no':
      return new SessionPlace(work)
    case 'pid':
      return new DemandedPlace(new NamespacePlace(pools), pools)
    case 'auto':
      return new AutoPlace(new NamespacePlace(pools), new SessionPlace(work), pools)
    case 'bwrap':
      return new SandboxPlace({ writable: [work, ...(cache === undefined ? [] : [cache])], network })
  }
}

/** Finds out how steps can be isolated; a Fatal if ISOLATE=pid and it cannot be done. For a program that starts. */
export async function prepareIsolation(how: Isolate, pools: Pools): Promise<void> {
  if (how === 'no') return
  if (how === 'bwrap') return prepareSandbox()
  try {
    await pools.rooms.give(await pools.rooms.take())
  } catch (error) {
    if (isPassing(error)) throw temporary('make a pid namespace', error)
    if (how === 'pid') throw demanded(error)
    doWithout(error)
  }
}

async function prepareSandbox(): Promise<void> {
  const ran = await run([...sandboxFlags({ writable: [], network: false }, '/'), 'true'])
  if (ran.code !== 0) throw lasting('make a sandbox, as ISOLATE=bwrap demands', failureOf(ran))
}

const demanded = (error: unknown) => lasting('make a pid namespace, as ISOLATE=pid demands', error)

/** The complaints of `unshare` where the machine is short of something, which it will not be for ever. */
const PASSING = /temporarily unavailable|cannot allocate memory|no space left|too many open files/i

const isPassing = (error: unknown): boolean =>
  (error instanceof Fatal && error.exitCode === EXIT.temporary) ||
  (error instanceof Error && PASSING.test(error.message))

/** No pipes: what is wrong meets the start of the step as well, which tells it. */
const leftToStart = () => undefined

let said = ''

function doWithout(error: unknown): void {
  const why = error instanceof Error ? error.message : String(error)
  if (why !== said) say('info', `steps run without a pid namespace of their own: ${why}`)
  said = why
}

/** Pid namespaces, or none of its steps runs: the machine fails, and not the job. */
class DemandedPlace implements Place {
  readonly #namespace: Place
  readonly #pools: Pools

  constructor(namespace: Place, pools: Pools) {
    this.#namespace = namespace
    this.#pools = pools
  }

  pipes(directory: string): Promise<OwnPipes | undefined> {
    return this.#namespace.pipes!(directory).catch(leftToStart)
  }

  async start(step: StepCommand): Promise<StepProcess> {
    return this.#namespace.start(step).catch((error: unknown) => {
      throw this.#pools.rooms.wasOpened || isPassing(error)
        ? new MachineFault('make a pid namespace', error)
        : demanded(error)
    })
  }

  close(): Promise<void> {
    return this.#namespace.close()
  }
}

/**
 * Pid namespaces, and sessions where none can be made: each job tries anew. Where one could be made before, or the machine is
 * just short of something, no step runs with less.
 */
class AutoPlace implements Place {
  readonly #namespace: Place
  readonly #session: Place
  readonly #pools: Pools
  #without = false

  constructor(namespace: Place, session: Place, pools: Pools) {
    this.#namespace = namespace
    this.#session = session
    this.#pools = pools
  }

  async pipes(directory: string): Promise<OwnPipes | undefined> {
    return this.#without ? undefined : this.#namespace.pipes!(directory).catch(leftToStart)
  }

  async start(step: StepCommand): Promise<StepProcess> {
    if (this.#without) return this.#session.start(step)
    try {
      return await this.#namespace.start(step)
    } catch (error) {
      if (this.#pools.rooms.wasOpened || isPassing(error))
        throw new MachineFault('make a pid namespace', error)
      this.#without = true
      doWithout(error)
    }
    return this.#session.start(step)
  }

  async close(): Promise<void> {
    await Promise.all([this.#namespace.close(), this.#session.close()])
  }
}
