// The kinds of channels, in the order in which a project's channels are listed.

import type { ChannelKind } from './channel.ts'
import { forge } from './forge.ts'
import { mail } from './mail.ts'
import { program } from './program.ts'
import { refs } from './refs.ts'
import { webhook } from './webhook.ts'

export const KINDS: readonly ChannelKind[] = [mail, webhook, program, forge, refs]

/** The kind of that name. */
export const kindNamed = (name: string): ChannelKind => KINDS.find(kind => kind.name === name)!
