// HTML as tagged templates: whatever is put into one is escaped, unless it is itself the value of one. What other people
// wrote can so never become markup.

import { html as tag } from 'hono/html'
import type { raw } from 'hono/html'

export type Html = ReturnType<typeof raw>
type Value = string | number | Html | null | undefined | false | readonly Value[]

/** Markup with its values escaped; nothing stands for null, undefined and false, and lists are joined. */
export const html = (strings: TemplateStringsArray, ...values: Value[]): Html =>
  // It would be a promise only if a value were one.
  tag(strings, ...values) as Html
