// bass prune: deletes what is over and old.

import { join } from 'node:path'

import { command, usage } from '../lib/system/command.ts'
import { serverTime } from '../lib/system/durable.ts'
import { tolerating } from '../lib/base/errno.ts'
import { quote } from '../lib/base/exit.ts'
import { doneDeliveries, removeDeliveries } from '../lib/spool/deliveries.ts'
import { Freed, prunable, prune } from '../lib/spool/prune.ts'
import { optional, parseDuration } from '../lib/base/settings.ts'
import { table, terminalOf } from './parts/terminal.ts'
import { ago, counted, formatBytes } from '../lib/base/text.ts'
import { COLOURS } from './parts/verdict-style.ts'
import { readJob } from '../lib/view/view.ts'
import { openSpoolHere } from './views/open.ts'

const description = {
  name: 'bass prune',
  usage: '[--older-than TIME] [--keep-last N] [--commit] [--json]',
  operands: [0, 0],
  about: `Deletes tasks and jobs that are over, or, without --commit, only says which and how much that
would free.

It takes those that ended longer ago than TIME, but for the last N of each project and
architecture. Without --older-than the time is RETENTION; where that is not set either,
--keep-last alone decides. Jobs that ended less than SETTLE ago are not looked at. Deliveries of
forges that were done before TIME go as well.

--json prints { committed, bytes, deliveries, tasks: [{ name, verdict, ended }] }; times in
milliseconds since 1970.`,
  options: {
    'older-than': {
      type: 'string',
      about: 'how long ago they must have ended, as 30d or 12h',
      value: 'TIME',
    },
    'keep-last': { type: 'string', about: 'how many of each project and architecture stay', value: 'N' },
    commit: { type: 'boolean', about: 'delete them' },
    json: { type: 'boolean', about: 'print it for programs' },
  },
  environment: { SPOOL: 'the spool', RETENTION: 'how long what is over stays, if --older-than does not say' },
} as const

export const verb = command(description, (_, options) => {
  const { 'older-than': age = optional('RETENTION'), 'keep-last': keep, commit, json } = options
  if (age === undefined && keep === undefined) {
    throw usage(description, 'one of --older-than and --keep-last must say what may go')
  }
  const span = age === undefined ? undefined : parseDuration(age)
  if (age !== undefined && span === undefined)
    throw usage(description, `${quote(age)} is not a time such as 30d or 12h`)
  if (keep !== undefined && !/^\d{1,9}$/.test(keep))
    throw usage(description, `${quote(keep)} is not a whole number`)

  const spool = openSpoolHere()
  // Ages are by the clock that gave the files their times. Whoever may not write there deletes nothing either.
  const now = tolerating(['EACCES', 'EPERM', 'EROFS'], () => serverTime(spool.tasks.tmp)) ?? Date.now()
  const tasks = prunable(spool, {
    ...(span === undefined ? {} : { before: now - span }),
    ...(keep === undefined ? {} : { keep: Number(keep) }),
  })
  const freed = new Freed()
  const rows = tasks.map(({ name }) => {
    for (const directory of [spool.tasks.old, spool.jobs.old]) freed.add(join(directory, name))
    const job = readJob(join(spool.jobs.old, name))
    return { name, verdict: job?.verdict ?? null, ended: job?.ended ?? null }
  })
  const deliveries = span === undefined ? [] : doneDeliveries(spool, now - span)
  for (const path of deliveries) freed.add(path)
  if (commit) {
    prune(spool, tasks)
    removeDeliveries(spool, deliveries)
  }
  if (json) {
    const shown = { committed: commit, bytes: freed.bytes, deliveries: deliveries.length, tasks: rows }
    process.stdout.write(JSON.stringify(shown, null, 2) + '\n')
    return
  }
  const terminal = terminalOf()
  const lines = table(
    rows.map(({ name, verdict, ended }) => [
      { text: name },
      verdict ? { text: verdict, colour: COLOURS[verdict] } : { text: '' },
      { text: ended === null ? '' : ago(now - ended) },
    ]),
    terminal,
  )
  const told = deliveries.length > 0 ? `${counted(deliveries.length, 'delivery', 'deliveries')}, ` : ''
  const sum = `${counted(rows.length, 'task')}, ${told}${formatBytes(freed.bytes)}`
  const end = commit
    ? `${sum}: deleted`
    : `${sum}: nothing was deleted${rows.length + deliveries.length > 0 ? ', --commit does it' : ''}`
  process.stdout.write([...lines, end].join('\n') + '\n')
})
