// A channel that is the project's forge: each job is a check beside its commit.

import type { ForgeApi } from '../../lib/forge/api.ts'
import { ForgeError } from '../../lib/forge/client.ts'
import type { Forge } from '../../lib/forge/forge.ts'
import { openApi } from '../../lib/forge/open.ts'
import { forgeOf } from '../../lib/forge/parse-forge.ts'
import { duration, words } from '../../lib/base/settings.ts'
import type { Naming } from '../../lib/testfile/check-name.ts'
import { openSpool } from '../../lib/spool/spool.ts'
import { warnOnce } from '../../lib/system/log.ts'
import { readBoard } from '../../lib/view/board.ts'
import { Calls } from './calls.ts'
import type { Channel, ChannelKind, OpenChannel } from './channel.ts'
import { checkOf } from './check.ts'
import { Later, NotYet, Refused } from './deliver.ts'
import { Latest } from './latest.ts'
import type { Notice } from './notice.ts'
import { Pace } from './pace.ts'
import type { Key } from './records.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** GitHub takes 80 such calls a minute and 500 an hour; others have no such limit, and are spared all the same. */
const GITHUB = [
  { most: 70, patient: 50, span: MINUTE },
  { most: 450, patient: 300, span: HOUR },
]
const OTHERS = [{ most: 600, patient: 500, span: MINUTE }]

/** How often a status is tried that the forge refuses: over some 4 minutes, in which its commit may have come there. */
const STATUS_TRIES = 8

/** For how long what was read of the queue is good enough, in milliseconds. */
const BOARD = 2000

/** The pace of each forge, by its address: its limits are for all that we tell it, whatever the project. */
const paces = new Map<string, Pace>()

function paceOf({ place }: Forge): Pace {
  const pace = paces.get(place.server) ?? new Pace(place.kind === 'github' ? GITHUB : OTHERS)
  paces.set(place.server, pace)
  return pace
}

/** The calls of each channel on a forge that counts hours, by its directory; added to the pace when they are first read. */
const callsOf = new Map<string, Calls>()

function callsIn(directory: string, pace: Pace): Calls {
  const known = callsOf.get(directory)
  if (known) return known
  const calls = new Calls(directory, HOUR)
  pace.remember(performance.now(), calls.ages())
  callsOf.set(directory, calls)
  return calls
}

export const forge: ChannelKind = {
  name: 'forge',
  read({ project, env }): Channel[] {
    const found = forgeOf(env)
    if (found === undefined || openApi(found, env) === undefined) return []
    return [{ project, kind: 'forge', name: 'forge', target: env.FORGE ?? '', policy: 'all' }]
  },
  open({ project, shared = false }, env, directory): OpenChannel {
    const found = forgeOf(env)!
    const isGitHub = found.place.kind === 'github'
    const latest = new Latest(directory)
    const pace = paceOf(found)
    const calls = isGitHub ? callsIn(directory, pace) : undefined
    const naming = { project, archs: words('ARCHS', env).length, shared }
    const teller = new Teller(openApi(found, env)!, pace, calls, latest, naming)
    return {
      deliver: notice => teller.tell(notice, isGitHub),
      order: verdictsFirst,
      tries: STATUS_TRIES,
      tidy: isThere => latest.tidy(isThere),
    }
  },
}

/** Verdicts before what waits and runs, each in the order of their tasks. Pure. */
export const verdictsFirst = (pending: readonly Key[]): Key[] => [
  ...pending.filter(({ stage }) => stage === 'over'),
  ...pending.filter(({ stage }) => stage !== 'over'),
]

class Teller {
  readonly #api: ForgeApi
  readonly #pace: Pace
  readonly #calls: Calls | undefined
  readonly #latest: Latest
  readonly #naming: Naming
  /** Commits and contexts of which the forge takes no more: this is said once of each. */
  readonly #full = new Set<string>()
  #board: { readonly until: number; readonly texts: ReadonlyMap<string, string | undefined> } = {
    until: 0,
    texts: new Map(),
  }

  constructor(api: ForgeApi, pace: Pace, calls: Calls | undefined, latest: Latest, naming: Naming) {
    this.#api = api
    this.#pace = pace
    this.#calls = calls
    this.#latest = latest
    this.#naming = naming
  }

  /** Why a task waits, as `bass status` says it; undefined if it does not wait any more, or the spool cannot be read. */
  #whyWaits(name: string): string | undefined {
    try {
      // Many tasks come at once, and the reason of one is that of most.
      if (performance.now() >= this.#board.until) {
        const { tasks } = readBoard(openSpool(), duration('LOST_AFTER'))
        const texts = new Map(tasks.map(task => [task.name, task.wait?.text]))
        this.#board = { until: performance.now() + BOARD, texts }
      }
    } catch (error) {
      warnOnce('read the queue for', name, error)
    }
    return this.#board.texts.get(name)
  }

  /** Sets the status of a notice; `sparing` is a forge that is not told that a job runs. */
  async tell(notice: Notice, sparing: boolean): Promise<void> {
    const { task, stage, url } = notice
    const check = checkOf(notice, this.#naming, stage === 'waiting' ? this.#whyWaits(task.name) : undefined)
    if (check === undefined || task.revision === null || (sparing && stage === 'running')) return
    const key = { num: task.num, stage }
    if (this.#latest.isPast(task.revision, check.context, key)) return
    const beside = `'${check.context}' at ${task.revision}`
    if (this.#full.has(beside)) return
    const wait = this.#pace.wait(performance.now(), stage !== 'over')
    if (wait > 0) throw new NotYet('the forge takes no more in so short a time', wait)
    this.#pace.note(performance.now())
    this.#calls?.note()
    try {
      await this.#api.setStatus({ ...check, sha: task.revision, url })
    } catch (error) {
      if (!(error instanceof ForgeError)) throw error
      // A token that has run out, or may not, is wrong for all: it holds everything up until somebody mends it.
      if (error.later) this.#pace.hold(performance.now(), error.after)
      if (error.later || error.status === 401 || error.status === 403)
        throw new Later(error.message, error.after)
      if (!error.isFull) throw new Refused(error.message)
      this.#full.add(beside)
      throw new Refused(`${error.message} Nothing more is told of ${beside}`, true)
    }
    this.#latest.note(task.revision, check.context, key)
  }
}
