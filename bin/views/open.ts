// Where verbs read: the spool of this host, or the farmer that FARMER_URL names where there is no spool.

import { lasting, quote } from '../../lib/base/exit.ts'
import { optional } from '../../lib/base/settings.ts'
import { openSpool } from '../../lib/spool/spool.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import type { Views } from '../../lib/view/views.ts'

export const VIEWS_ENVIRONMENT = {
  SPOOL: 'the spool',
  FARMER_URL: 'without SPOOL: the farmer, or a reporter, to ask, as https://ci.example.org',
} as const

/** For verbs that change something as well. */
export const ACTING_ENVIRONMENT = {
  ...VIEWS_ENVIRONMENT,
  REPORTER_TOKEN: 'who may act there',
} as const

/** True if verbs are to ask a farmer. */
export const isRemote = (): boolean =>
  optional('SPOOL') === undefined && optional('TASKS') === undefined && optional('FARMER_URL') !== undefined

/** The spool, for verbs that a farmer does not know. */
export function openSpoolHere(): Spool {
  if (!isRemote()) return openSpool()
  throw lasting(
    'find the spool',
    'SPOOL is not set, and the farmer of FARMER_URL knows status, show, log, wait, cancel, retry and approve alone',
  )
}

export async function openViews(): Promise<Views> {
  if (!isRemote()) return new (await import('./spool-views.ts')).SpoolViews()
  const url = optional('FARMER_URL') ?? ''
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw lasting('read the setting FARMER_URL', `${quote(url)} is no address such as https://ci.example.org`)
  }
  const { RemoteViews } = await import('./remote-views.ts')
  return new RemoteViews(url, optional('REPORTER_TOKEN'))
}
