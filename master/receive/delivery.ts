// A delivery as a file: a line of JSON with the headers that say what it is, then the raw body.

import { reasonOf } from '../../lib/base/errno.ts'
import { BadDelivery } from '../../lib/forge/forge.ts'

export interface Delivery {
  readonly headers: Headers
  readonly body: Buffer
}

/** The headers that are kept. Secrets, signatures and cookies are not. */
const HEADERS_KEPT =
  /^(?:content-type|idempotency-key|webhook-id|x-(?:github|gitea|gogs|forgejo|gitlab)-[a-z-]+)$/
const SECRET = /token|signature/

export function formatDelivery({ headers, body }: Delivery): Buffer {
  const kept = [...headers].filter(([name]) => HEADERS_KEPT.test(name) && !SECRET.test(name))
  return Buffer.concat([Buffer.from(JSON.stringify(kept) + '\n'), body])
}

/** The changes that a look at the forge found: the tip of each ref, or null where it is gone. */
export interface Look {
  readonly look: readonly (readonly [ref: string, tip: string | null])[]
}

export const formatLook = (look: Look): Buffer => Buffer.from(JSON.stringify(look) + '\n')

/** Reads what `formatDelivery` or `formatLook` wrote; throws BadDelivery if it is anything else. Pure. */
export function parseDelivery(content: Buffer): Delivery | Look {
  const end = content.indexOf('\n')
  try {
    const first = JSON.parse(content.toString('utf8', 0, end)) as [string, string][] | Look
    if ('look' in first) return { look: first.look.filter(([ref]) => typeof ref === 'string') }
    const headers = new Headers(first)
    return { headers, body: content.subarray(end + 1) }
  } catch (error) {
    throw new BadDelivery(`its file is none of ours: ${reasonOf(error)}`)
  }
}
