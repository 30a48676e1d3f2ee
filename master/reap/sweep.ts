// Finds and removes rubbish in the spool. Age alone proves it only for what a shell task-maker, a cloner or a
// publisher of a file left in tasks/tmp, and then by this observer's clock: no name, size or time of the
// whole tree may have changed for SWEEP_AFTER.

import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { DEAD, sweep } from '../../lib/system/durable.ts'
import { remove } from '../../lib/system/remove.ts'
import { listIfThere, mustListAll } from '../../lib/system/listing.ts'
import { ignoringENOENT } from '../../lib/base/errno.ts'
import { say, warnOnce } from '../../lib/system/log.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { parseTaskName } from '../../lib/spool/task-name.ts'
import type { ReaperSettings } from './settings.ts'
import { TASK } from '../../lib/spool/job-files.ts'

/** How often to look where 100,000 names may be listed, in milliseconds. */
const EACH_OLD = 3_600_000

/** A sweeper with its memory: to be called in every round. */
export function sweepAll({
  sweepAfter: after,
  poll,
}: Pick<ReaperSettings, 'sweepAfter' | 'poll'>): (spool: Spool) => void {
  // Sweeping is never urgent.
  const each = 10 * poll
  const prints = new Map<string, { print: string; since: number }>()
  let [looked, lookedAtOld] = [-Infinity, -Infinity]
  return spool => {
    const now = performance.now()
    if (now - looked < each) return
    looked = now
    sweepDead([spool.tasks.tmp, spool.tasks.cur, spool.jobs.tmp, spool.jobs.cur])
    if (now - lookedAtOld >= EACH_OLD) {
      lookedAtOld = now
      sweepDead([spool.tasks.old, spool.jobs.old])
    }
    const candidates = mustListAll(spool.tasks.tmp).filter(mayBeLeft)
    for (const name of prints.keys()) if (!candidates.includes(name)) prints.delete(name)
    for (const name of candidates) {
      const path = join(spool.tasks.tmp, name)
      try {
        // A clone that names its parent belongs to the states L1 and L2, however old it is.
        if (!name.startsWith('.') && listIfThere(path).includes(TASK.retryOf)) continue
        const print = fingerprint(path)
        const seen = prints.get(name)
        if (seen?.print !== print) prints.set(name, { print, since: now })
        else if (now - seen.since >= after) {
          say('info', `sweeping ${path}: unchanged for SWEEP_AFTER`)
          sweep(path)
        }
      } catch (error) {
        warnOnce('sweep', path, error)
      }
    }
  }
}

/**
 * Recognises `:P:V:...` and `NUM:P:...` of a shell task-maker, `.NUM:P:....TOKEN` of a cloner, and
 * `.new.TOKEN` of a program that was about to publish a file: its `link` fails then, and it reports that.
 * Pure.
 */
function mayBeLeft(name: string): boolean {
  if (name.startsWith('.')) return /^\.(\d+:.*|new)\.[0-9a-f]{16}$/.test(name)
  return name.startsWith(':') || parseTaskName(name) !== undefined
}

/** Names, sizes and times of a tree. */
function fingerprint(path: string): string {
  const stat = ignoringENOENT(() => lstatSync(path))
  if (!stat) return ''
  const below = stat.isDirectory() ? (ignoringENOENT(() => readdirSync(path)) ?? []) : []
  // No ctime: each task that shares a file changes that, and each that is swept.
  const own = `${stat.ino} ${stat.size} ${stat.mtimeMs}`
  return [own, ...below.sort().map(name => `${name}(${fingerprint(join(path, name))})`)].join(' ')
}

/** Rubbish that was renamed to its dead name and not yet deleted. What cannot be deleted keeps no other from being so. */
function sweepDead(directories: readonly string[]): void {
  for (const directory of directories) {
    for (const name of mustListAll(directory).filter(name => name.startsWith(DEAD))) {
      const path = join(directory, name)
      try {
        remove(path)
      } catch (error) {
        warnOnce('sweep', path, error)
      }
    }
  }
}
