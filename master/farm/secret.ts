// Secrets of the farmer: long ones, compared in constant time.

import { createHash, timingSafeEqual } from 'node:crypto'

import { lasting } from '../../lib/base/exit.ts'
import { secret } from '../../lib/system/secret.ts'

/** The secret that NAME or the file NAME_FILE holds, of 16 characters at least; undefined if neither is set. */
export function longSecret(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const text = secret(name, env)
  if (text !== undefined && text.length < 16)
    throw lasting(`read the setting ${name}_FILE`, 'the file holds fewer than 16 characters')
  return text
}

const digest = (text: string) => createHash('sha256').update(text).digest()

/** True if both are the same; how long it takes says nothing about where they differ. */
export const isSameSecret = (given: string | undefined, secret: string): boolean =>
  given !== undefined && timingSafeEqual(digest(given), digest(secret))
