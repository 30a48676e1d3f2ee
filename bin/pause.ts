// bass pause: takers take nothing of a project, of a host, or nothing at all. A file in `pause/` says so.

import { join } from 'node:path'

import { command } from '../lib/system/command.ts'
import { fsyncPath, noteChange, publishFile } from '../lib/system/durable.ts'
import { pauseName } from './parts/pause-name.ts'
import { makeDirectory, openSpool, paused } from '../lib/spool/spool.ts'

export const verb = command(
  {
    name: 'bass pause',
    usage: '[--json] all | PROJECT | host:HOST ...',
    operands: [1, 1000],
    about: `Lets takers take no more tasks of a project, on a host, or at all. What runs, runs on.

'bass resume' takes it back; 'bass status' shows what is paused. To pause what is paused is no
error.

--json prints { paused: [NAME] }: all that is paused then, as 'all', 'project:P' and 'host:H'.`,
    options: { json: { type: 'boolean', about: 'print what is paused, for programs' } },
    environment: { SPOOL: 'the spool' },
  },
  (words, { json }) => {
    const spool = openSpool()
    const names = words.map(pauseName)
    makeDirectory(spool.pause)
    for (const name of names) publishFile(join(spool.pause, name), '', undefined, spool.tasks.tmp)
    fsyncPath(spool.pause)
    noteChange(spool.pause)
    if (json) process.stdout.write(JSON.stringify({ paused: [...paused(spool)].sort() }, null, 2) + '\n')
  },
)
