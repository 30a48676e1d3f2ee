// Secrets, signatures and passwords are compared here alone. Pure.

import { createHash, timingSafeEqual } from 'node:crypto'

const digest = (secret: string | Uint8Array): Buffer => createHash('sha256').update(secret).digest()

/** True if both are the same; how long it takes says nothing about where they differ, nor how long the right one is. */
export const isSameSecret = (given: string | Uint8Array | undefined, right: string | Uint8Array): boolean =>
  given !== undefined && timingSafeEqual(digest(given), digest(right))
