// Pauses as people name them, and the names of their files.

import { join } from 'node:path'

import { lasting, quote } from '../../lib/base/exit.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { isPart } from '../../lib/spool/task-name.ts'
import { readTakers } from '../../lib/view/takers.ts'
import { knownProjects } from './known-projects.ts'

/** Longer than any project or host whose tasks have names that fit. */
const TOO_LONG = 200

/** `all`, `PROJECT` or `project:PROJECT`, `host:HOST` as the name of a file in `pause/`. Pure. */
export function pauseName(word: string): string {
  if (word === 'all') return word
  const [kind, name, ...more] = word.includes(':') ? word.split(':') : ['project', word]
  if ((kind === 'project' || kind === 'host') && name && more.length === 0) {
    if (isPart(name) && name.length < TOO_LONG) return `${kind}:${name}`
  }
  throw lasting(`pause ${quote(word)}`, "it is none of 'all', PROJECT and host:HOST")
}

/** Throws a lasting error, with the names there are, if no project or host of the spool has this name. */
export function mustBeKnown(spool: Spool, pause: string): void {
  const [kind, name] = pause.split(':')
  if (name === undefined) return
  const known = kind === 'host' ? hostsOf(spool) : knownProjects(spool)
  if (known.includes(name)) return
  const there = known.length === 0 ? 'none yet' : known.map(quote).join(', ')
  const anyway = `to pause it all the same, type 'touch ${join(spool.pause, pause)}'`
  throw lasting(`pause ${quote(name)}`, `there is no such ${kind!}, but ${there}; ${anyway}`)
}

const hostsOf = (spool: Spool) => [...new Set(readTakers(spool, [], 0).map(({ host }) => host))]

/** Prints all that is paused, one a line, or as JSON. */
export function printPauses(paused: Iterable<string>, json: boolean): void {
  const names = [...paused].sort()
  if (json) process.stdout.write(JSON.stringify({ paused: names }, null, 2) + '\n')
  else
    process.stdout.write(
      names.length === 0 ? 'nothing is paused\n' : names.map(name => `paused: ${name}\n`).join(''),
    )
}
