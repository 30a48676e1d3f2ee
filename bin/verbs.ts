// The verbs of `bass`: what each is for, and where its program is, which is loaded only when it is asked for. A verb's
// module exports its command as `verb`.

import type { Command } from '../lib/command.ts'

export interface Verb {
  /** One line of `bass help`, without a full stop. */
  readonly about: string
  readonly load: () => Promise<{ readonly verb: Command }>
}

/** By what people are about to do, in the order of `bass help`. */
export const GROUPS: Readonly<Record<string, Readonly<Record<string, Verb>>>> = {}

/** All of them. */
export const VERBS: ReadonlyMap<string, Verb> = new Map(Object.values(GROUPS).flatMap(Object.entries))
