// bass resume: takes back what `bass pause` said.

import { unlinkSync } from 'node:fs'
import { join } from 'node:path'

import { command } from '../lib/system/command.ts'
import { fsyncPath } from '../lib/system/durable.ts'
import { noteChange } from '../lib/system/polled.ts'
import { ignoringENOENT } from '../lib/base/errno.ts'
import { lasting, quote } from '../lib/base/exit.ts'
import { pauseName, printPauses } from './parts/pause-name.ts'
import { paused } from '../lib/spool/spool.ts'
import { openSpoolHere } from './views/open.ts'

export const verb = command(
  {
    name: 'bass resume',
    usage: '[--json] all | PROJECT | host:HOST ...',
    operands: [1, 1000],
    about: `Ends a pause, and prints what is still paused.

'all' ends 'bass pause all' alone: a project that was paused by itself stays paused.

--json prints { paused: [NAME] }: all that is paused then, as 'all', 'project:P' and 'host:H'.`,
    options: { json: { type: 'boolean', about: 'print what is paused, for programs' } },
    environment: { SPOOL: 'the spool' },
  },
  (words, { json }) => {
    const spool = openSpoolHere()
    const names = words.map(pauseName)
    const there = paused(spool)
    const missing = words.find((_, i) => !there.has(names[i]!))
    if (missing !== undefined) throw lasting(`resume ${quote(missing)}`, 'it is not paused')
    for (const name of names) ignoringENOENT(() => unlinkSync(join(spool.pause, name)))
    fsyncPath(spool.pause)
    noteChange(spool.pause)
    printPauses(paused(spool), json)
  },
)
