// What people say to pause, and the name of the file that says it. Pure.

import { lasting, quote } from '../../lib/base/exit.ts'
import { isPart } from '../../lib/spool/task-name.ts'

/** Longer than any project or host whose tasks have names that fit. */
const TOO_LONG = 200

/** `all`, `PROJECT` or `project:PROJECT`, `host:HOST` as the name of a file in `pause/`. */
export function pauseName(word: string): string {
  if (word === 'all') return word
  const [kind, name, ...more] = word.includes(':') ? word.split(':') : ['project', word]
  if ((kind === 'project' || kind === 'host') && name && more.length === 0) {
    if (isPart(name) && name.length < TOO_LONG) return `${kind}:${name}`
  }
  throw lasting(`pause ${quote(word)}`, "it is none of 'all', PROJECT and host:HOST")
}
