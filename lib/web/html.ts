// HTML as tagged templates: each value is escaped, unless it is the result of such a template. Text of others
// can never become markup, nor change the direction of the text around it.

import { html as tag } from 'hono/html'
import type { raw } from 'hono/html'

export type Html = ReturnType<typeof raw>
type Value = string | number | Html | null | undefined | false | readonly Value[]

/** Characters that write in the other direction until further notice (https://trojansource.codes). */
const TURNING = /[\u202a-\u202e\u2066-\u2069]/g

/** Markup with its values escaped; nothing stands for null, undefined and false, and lists are joined. */
export const html = (strings: TemplateStringsArray, ...values: Value[]): Html =>
  // It would be a promise only if a value were one.
  tag(strings, ...values.map(straight)) as Html

const straight = (value: Value): Value =>
  typeof value === 'string'
    ? value.replace(TURNING, '\ufffd')
    : Array.isArray(value)
      ? (value as readonly Value[]).map(straight)
      : value
