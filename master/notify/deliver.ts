// How one notice is told, and what can come of that.

import { formatSeconds } from '../../lib/base/text.ts'
import type { Notice } from './notice.ts'

/** The channel was reached and does not want this notice; it may well want the next one. */
export class Refused extends Error {
  /** True if another try cannot end otherwise. */
  readonly lasting: boolean

  constructor(message: string, lasting = false) {
    super(message)
    this.lasting = lasting
  }
}

/** The channel wants no notice before so many milliseconds have passed. */
export class Later extends Error {
  readonly after: number

  constructor(message: string, after: number) {
    super(message)
    this.after = after
  }
}

/** This notice is to wait for so many milliseconds; nothing failed, and others need not wait. */
export class NotYet extends Later {}

/** Tells one notice; returns when the channel has it. `body` is the notice as it is recorded, byte by byte. */
export type Deliver = (notice: Notice, body: string) => Promise<void>

/** How long one try may take, in milliseconds. */
export const TRY_TIMEOUT = 30_000

/** Why a try failed that had so many milliseconds. Pure. */
export const tooLong = (patience: number): string => `it takes longer than ${formatSeconds(patience / 1000)}`
