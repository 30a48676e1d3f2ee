// What may not be read is left out, and that is said: no file costs a command its result.

import { reasonOf } from '../../../lib/base/errno.ts'
import { quote } from '../../../lib/base/exit.ts'
import type { OnUnreadable } from '../../../lib/exec/listing.ts'

/** So many are named. */
const NAMED = 20

export class LeftOut {
  readonly #say: (sentence: string) => void
  #count = 0

  constructor(say: (sentence: string) => void) {
    this.#say = say
  }

  readonly add: OnUnreadable = (name, error) => {
    if (++this.#count > NAMED) return
    this.#say(`left out ${quote(Buffer.from(name, 'latin1').toString())}: ${reasonOf(error)}`)
  }

  /** Says how many there were besides. */
  end(): void {
    if (this.#count > NAMED) this.#say(`left out ${this.#count - NAMED} more that may not be read`)
  }
}
