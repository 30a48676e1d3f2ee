// git jci cron: runs at fixed times, by the user's crontab.

import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { lasting } from '../../lib/base/exit.ts'
import { setting } from '../../lib/base/settings.ts'
import { counted, harmless } from '../../lib/base/text.ts'
import { command, usage } from '../../lib/system/command.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { readIfThere } from '../../lib/system/durable.ts'
import { installCrontab, judge, readCrontab } from './cron/crontab.ts'
import { cronLine, isBad, isOurs, parseEntries, replaceLines } from './cron/entries.ts'
import type { Entry, CronSite } from './cron/entries.ts'
import { OURS } from './ours.ts'
import { findTop, ownFiles } from './parts/repository.ts'

const description = {
  name: 'git-jci cron',
  usage: 'ls | sync',
  operands: [1, 1],
  about: `Shows, and installs in your crontab, the runs that .jci/crontab asks for.

Its lines have five fields as those of a crontab, or a word such as @daily; then, if you like, branch:X, which is
tested instead of what is checked out, and name:Y. 'ls' shows what the file says and what is installed; 'sync' makes
the crontab say the same, and leaves the lines of others as they are. Each run tests the tip of its branch in a
worktree of its own; what it said last is in jci/cron.log in the directory of git.`,
  ...OURS,
} as const

export const verb = command(description, ([word]) => {
  const site = siteOf(realpathSync(findTop()))
  const entries = readEntries(site.top)
  switch (word) {
    case 'ls':
      return list(entries, site)
    case 'sync':
      return sync(entries, site)
    default:
      throw usage(description, `'${word ?? ''}' is neither ls nor sync`)
  }
})

function siteOf(top: string): CronSite {
  return {
    top,
    mark: `# JCI:${createHash('sha256').update(top).digest('hex')}`,
    program: join(setting('BASS_ROOT'), 'bin/git-jci'),
    node: dirname(process.execPath),
    log: join(ownFiles(top), 'cron.log'),
  }
}

/** The entries of the file; none if there is no file. Throws Fatal for the first line that is bad, by us or by cron. */
function readEntries(top: string): Entry[] {
  return parseEntries(readIfThere(join(top, '.jci/crontab')) ?? '').map(entry => {
    const why = isBad(entry) ? entry.why : judge(`${entry.schedule} true\n`)
    if (why !== undefined) throw lasting(`read line ${entry.line} of '.jci/crontab'`, harmless(why))
    return entry as Entry
  })
}

function list(entries: readonly Entry[], { mark }: CronSite): void {
  const installed = readCrontab()
    .split('\n')
    .filter(line => isOurs(line, mark))
  const shown = entries.map(({ schedule, branch = 'HEAD', name }) =>
    [schedule, branch, name ?? ''].join('  ').trimEnd(),
  )
  const part = (title: string, lines: readonly string[]) =>
    `${title}:\n${lines.length === 0 ? '  nothing\n' : lines.map(line => `  ${harmless(line)}\n`).join('')}`
  process.stdout.write(part('configured', shown) + part('installed', installed))
}

function sync(entries: readonly Entry[], site: CronSite): void {
  const before = readCrontab()
  // A crontab is bytes to us; our lines are UTF-8.
  const lines = entries.map(entry => Buffer.from(cronLine(entry, site)).toString('latin1'))
  const after = replaceLines(before, lines, site.mark)
  if (after !== before) {
    makeDirectories(dirname(site.log))
    installCrontab(after)
  }
  process.stdout.write(`${counted(entries.length, 'line')} installed\n`)
}
