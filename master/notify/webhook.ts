// A channel that is a URL: each notice is a POST of its JSON, signed.

import { createHmac } from 'node:crypto'

import type { Channel } from './channels.ts'
import { version } from '../../lib/system/command.ts'
import { lasting } from '../../lib/base/exit.ts'
import { PATIENCE, Refused } from './courier.ts'
import type { Deliver } from './courier.ts'
import { secret } from '../../lib/system/secret.ts'

/** Answers that may be another one later: a timeout, too early, too many requests. */
const LATER = [408, 425, 429]

/** As the receiver reckons it: `sha256=` and the HMAC-SHA256 of the body's bytes, in hex. Pure. */
const signatureOf = (body: string, key: string): string =>
  `sha256=${createHmac('sha256', key).update(body).digest('hex')}`

export function webhook({ target }: Channel, env: NodeJS.ProcessEnv): Deliver {
  const key = secret('NOTIFY_KEY', env)
  if (key === undefined || key.length < 16) {
    throw lasting('sign for a webhook', 'NOTIFY_KEY is to have 16 characters or more, chosen at random')
  }
  return async ({ id, stage }, body) => {
    const response = await fetch(target, {
      method: 'POST',
      body,
      headers: {
        'Content-Type': 'application/json',
        'User-Agent': `BASS/${version()}`,
        'X-Bass-Delivery': id,
        'X-Bass-Stage': stage,
        'X-Bass-Signature': signatureOf(body, key),
      },
      // To follow one would make a GET of it.
      redirect: 'manual',
      signal: AbortSignal.timeout(PATIENCE),
    }).catch((error: unknown) => {
      // `fetch failed` is no reason; the one behind it names the address at most, not the URL.
      throw error instanceof Error && error.cause instanceof Error ? error.cause : error
    })
    await response.body?.cancel()
    if (response.ok) return
    const why = `it answered ${response.status}`
    throw response.status < 500 && !LATER.includes(response.status) ? new Refused(why) : new Error(why)
  }
}
