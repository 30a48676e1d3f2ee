// The deliveries of forges: whether somebody works them off, and whether the forge has what none of them told of.

import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { tolerating } from '../../lib/base/errno.ts'
import { Fatal } from '../../lib/base/exit.ts'
import { limit, optional } from '../../lib/base/settings.ts'
import { ago, counted } from '../../lib/base/text.ts'
import { shellQuote } from '../../lib/base/shell-quote.ts'
import type { Forge } from '../../lib/forge/forge.ts'
import { openApi } from '../../lib/forge/open.ts'
import { forgeOf } from '../../lib/forge/parse-forge.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import { Mirror } from '../../master/fetch/mirror.ts'
import { readTips } from '../../master/fetch/state.ts'
import { inboxOf } from '../../master/receive/inbox.ts'
import type { Inbox } from '../../master/receive/inbox.ts'
import { launcherOf } from '../setup/program-kinds.ts'
import { fine, wrong } from './finding.ts'
import type { Finding } from './finding.ts'
import type { ProjectFile } from './settings-files.ts'

/** A fetcher that runs begins with a delivery within this many milliseconds, unless the forge is away. */
const DELIVERY_PATIENCE_MS = 300_000

/** How long a delivery may be on its way, in milliseconds. */
const ON_THE_WAY_MS = 4000

/** How many refs are named. */
const NAMED = 3

export async function checkDeliveries(
  spool: Spool,
  projects: readonly ProjectFile[],
  onTheWay = ON_THE_WAY_MS,
): Promise<Finding[]> {
  const findings = projects.map(async ({ name, env }) => {
    const forge = forgeIn(env)
    const proj = optional('PROJ', env)
    if (!forge || proj === undefined) return []
    const inbox = inboxOf(spool, name)
    const mirror = new Mirror(proj, forge, env, new AbortController().signal)
    // With a token another check asks the forge.
    const isAsked = hasToken(forge, env)
    try {
      const waiting = checkWaiting(inbox)
      if (waiting) return [waiting]
      if (readTips(inbox)) return [await checkLost(inbox, mirror, limit('FORGE_POLL', env), onTheWay)]
      if (!isAsked) await mirror.look()
      return [fine('delivery', name, 'no fetcher has looked at the forge yet')]
    } catch (error) {
      if (!(error instanceof Fatal)) throw error
      if (isAsked) return [fine('delivery', name, `not looked at: ${error.message}`)]
      return [wrong('forge', name, error.message, `git ls-remote ${shellQuote(forge.cloneUrl)}`)]
    }
  })
  return (await Promise.all(findings)).flat()
}

/** The forge of a project; undefined if it has none, or one that is a finding of other checks. */
const forgeIn = (env: NodeJS.ProcessEnv): Forge | undefined => unlessFatal(() => forgeOf(env))

const hasToken = (forge: Forge, env: NodeJS.ProcessEnv): boolean =>
  unlessFatal(() => openApi(forge, env)) !== undefined

function unlessFatal<T>(ask: () => T): T | undefined {
  try {
    return ask()
  } catch (error) {
    if (error instanceof Fatal) return undefined
    throw error
  }
}

/** Deliveries that nobody begins with; undefined if there are none. */
function checkWaiting({ project, fresh }: Inbox): Finding | undefined {
  const ids = listIfThere(fresh)
  const times = ids.map(id => tolerating(['ENOENT'], () => statSync(join(fresh, id)).mtimeMs) ?? Infinity)
  const age = Date.now() - times.reduce((a, b) => Math.min(a, b), Infinity)
  if (!(age > DELIVERY_PATIENCE_MS)) return undefined
  const text = `${counted(ids.length, 'delivery', 'deliveries')} in the inbox, the oldest came ${ago(age)}: no fetcher takes them`
  return wrong('delivery', project, text, `start ${launcherOf('fetcher')}, or see in its log why it waits`)
}

/** Whether the forge has what was never heard of. `poll` is how often the fetcher looks for that, in milliseconds. */
async function checkLost(inbox: Inbox, mirror: Mirror, poll: number, onTheWay: number): Promise<Finding> {
  const { project } = inbox
  const { refs } = await mirror.look()
  const unheard = () => {
    const tips = readTips(inbox)
    return [...refs].filter(([ref, tip]) => tips?.get(ref) !== tip).map(([ref]) => ref)
  }
  if (unheard().length > 0) await sleep(onTheWay)
  const busy = listIfThere(inbox.fresh).length + listIfThere(inbox.doing).length
  const lost = unheard()
  if (lost.length === 0) return fine('delivery', project, 'all that the forge has was heard of')
  if (busy > 0)
    return fine('delivery', project, `${counted(busy, 'delivery', 'deliveries')} being worked off`)
  const names = lost.slice(0, NAMED).join(', ') + (lost.length > NAMED ? ', ...' : '')
  const text = `no delivery told of ${counted(lost.length, 'ref')} that moved on the forge: ${names}`
  if (poll !== Infinity) return fine('delivery', project, `${text}; the next look of the fetcher finds that`)
  return wrong('delivery', project, text, `${launcherOf('fetcher')} --look ${project}`)
}
