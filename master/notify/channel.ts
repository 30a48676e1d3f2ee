// A channel: one way in which a project tells how its jobs end. What all kinds of channels have in common.

import { createHash } from 'node:crypto'

import { lasting } from '../../lib/base/exit.ts'
import { toPart } from '../../lib/spool/task-name.ts'
import type { Deliver } from './deliver.ts'
import { POLICIES } from './policy.ts'
import type { Policy } from './policy.ts'
import type { Key } from './records.ts'

export interface Channel {
  readonly project: string
  /** Its directory in the spool, and what messages call it: there is no secret in it. */
  readonly name: string
  /** The name of its kind. */
  readonly kind: string
  /** The address, the URL, the path of the program, or the repository. */
  readonly target: string
  readonly policy: Policy
  /** Of a forge: true if another project tells of the same repository. */
  readonly shared?: boolean
}

/** Where a kind finds the channels of a project: in its settings, or among the files of its `notify.d`. */
export interface Source {
  readonly project: string
  readonly programs: string
  readonly env: NodeJS.ProcessEnv
}

/** A way out. To add one, write its file and name it in kinds.ts. */
export interface ChannelKind {
  readonly name: string
  /** The channels of this kind. What is set and makes no sense ends the program with 100. */
  read(source: Source): readonly Channel[]
  /** Opens a channel; `directory`, in the spool, is its own. */
  open(channel: Channel, env: NodeJS.ProcessEnv, directory: string): OpenChannel
}

export interface OpenChannel {
  readonly deliver: Deliver
  /** In which order pending notices are told; that in which things happened if it is left out. */
  readonly order?: (pending: readonly Key[]) => Key[]
  /** How often a notice that is refused is tried; for ever if it is left out. */
  readonly tries?: number
  /** Forgets what was kept of tasks that are not there any more. */
  readonly tidy?: (isThere: (num: number) => boolean) => void
}

/** `failures:TARGET`, or TARGET alone. Pure. */
export function policyOf(word: string): { policy: Policy; target: string } {
  const policy = POLICIES.find(policy => word.startsWith(`${policy}:`))
  return policy ? { policy, target: word.slice(policy.length + 1) } : { policy: 'changes', target: word }
}

export const odd = (name: string, what: string, like: string) =>
  lasting(`read the setting ${name}`, `${what} is not [POLICY:]TARGET, such as ${like} or failures:${like}`)

/** A name for people, and of its own for each `whole`. */
export function named(text: string, whole: string): string {
  const short = toPart(text, 60)
  return short === whole ? short : `${short}-${createHash('sha256').update(whole).digest('hex').slice(0, 12)}`
}
