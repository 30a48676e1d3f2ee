// bass pause: takers take nothing of a project, of a host, or nothing at all. A file in `pause/` says so.

import { join } from 'node:path'

import { command } from '../lib/system/command.ts'
import { fsyncPath, publishFile } from '../lib/system/durable.ts'
import { noteChange } from '../lib/system/polled.ts'
import { mustBeKnown, pauseName, printPauses } from './parts/pause-name.ts'
import { makeDirectory, paused } from '../lib/spool/spool.ts'
import { openSpoolHere } from './views/open.ts'

export const verb = command(
  {
    name: 'bass pause',
    usage: '[--json] all | PROJECT | host:HOST ...',
    operands: [1, 1000],
    about: `Stops takers from taking tasks of a project, on a host, or at all. Running jobs go on.

Prints what is paused then. 'bass resume' ends a pause. To pause again what is paused is no error.

--json prints { paused: [NAME] }: all that is paused then, as 'all', 'project:P' and 'host:H'.`,
    options: { json: { type: 'boolean', about: 'print what is paused, for programs' } },
    environment: { SPOOL: 'the spool' },
  },
  (words, { json }) => {
    const spool = openSpoolHere()
    const names = words.map(pauseName)
    for (const name of names) mustBeKnown(spool, name)
    makeDirectory(spool.pause)
    for (const name of names) publishFile(join(spool.pause, name), '', undefined, spool.tasks.tmp)
    fsyncPath(spool.pause)
    noteChange(spool.pause)
    printPauses(paused(spool), json)
  },
)
