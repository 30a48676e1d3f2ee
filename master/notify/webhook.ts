// A channel that is a URL: each notice is a POST of its JSON, signed.

import { createHmac } from 'node:crypto'
import http from 'node:http'
import type { OutgoingHttpHeaders } from 'node:http'
import https from 'node:https'

import { named, odd, policyOf } from './channel.ts'
import type { Channel, ChannelKind } from './channel.ts'
import { version } from '../../lib/system/version.ts'
import { lasting } from '../../lib/base/exit.ts'
import { words } from '../../lib/base/settings.ts'
import { Refused, tooLong, TRY_TIMEOUT } from './deliver.ts'
import type { Deliver } from './deliver.ts'
import { secret } from '../../lib/system/secret.ts'

/** Status codes worth a retry: a timeout, too early, too many requests. */
const LATER = [408, 425, 429]

/** As the receiver reckons it: `sha256=` and the HMAC-SHA256 of the body's bytes, in hex. Pure. */
const signatureOf = (body: string, key: string): string =>
  `sha256=${createHmac('sha256', key).update(body).digest('hex')}`

export const webhook: ChannelKind = {
  name: 'webhook',
  read: ({ project, env }) =>
    words('NOTIFY_WEBHOOK', env).map((word): Channel => {
      const { policy, target } = policyOf(word)
      const url = URL.canParse(target) ? new URL(target) : undefined
      // The word is not repeated: the path of such an address is often all that keeps strangers out.
      if (!url || !/^https?:$/.test(url.protocol))
        throw odd('NOTIFY_WEBHOOK', 'a word', 'https://example.org/x')
      return { project, kind: 'webhook', target, policy, name: `webhook-${named(url.hostname, target)}` }
    }),
  open: (channel, env) => ({ deliver: webhookDeliverer(channel, env) }),
}

/** Posts notices to a URL, whose answer may take `patience` milliseconds. */
export function webhookDeliverer(
  { target }: Pick<Channel, 'target'>,
  env: NodeJS.ProcessEnv,
  patience = TRY_TIMEOUT,
): Deliver {
  const key = secret('NOTIFY_KEY', env)
  if (key === undefined || key.length < 16) {
    throw lasting('sign for a webhook', 'NOTIFY_KEY is to have 16 characters or more, chosen at random')
  }
  return async ({ id, stage }, body) => {
    const signal = AbortSignal.timeout(patience)
    const answer = post(target, body, signal, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'User-Agent': `BASS/${version()}`,
      'X-Bass-Delivery': id,
      'X-Bass-Stage': stage,
      'X-Bass-Signature': signatureOf(body, key),
    })
    const status = await answer.catch((error: unknown) => {
      throw signal.aborted ? new Error(tooLong(patience)) : error
    })
    if (status >= 200 && status < 300) return
    const why = `it answered ${status}`
    throw status < 500 && !LATER.includes(status) ? new Refused(why) : new Error(why)
  }
}

/**
 * Posts to a URL, follows nothing, and returns the status of the answer. Not `fetch`, which refuses ports that browsers do,
 * and any URL with a user and password, in an error that repeats them: here they become the header that they stand for,
 * and an error names the address at most.
 */
function post(
  target: string,
  body: string,
  signal: AbortSignal,
  headers: OutgoingHttpHeaders,
): Promise<number> {
  const url = new URL(target)
  const request = url.protocol === 'https:' ? https.request : http.request
  return new Promise((resolve, reject) => {
    request(url, { method: 'POST', headers, signal }, response => {
      // Its body is of no interest, and may have no end.
      response.destroy()
      resolve(response.statusCode ?? 0)
    })
      .on('error', reject)
      .end(body)
  })
}
