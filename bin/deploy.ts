// bass deploy: puts a runnable tree where other machines can start it.

import { resolve } from 'node:path'

import { command, usage } from '../lib/system/command.ts'
import { deploy } from './setup/deploy.ts'
import { quote } from '../lib/base/exit.ts'
import { parseDuration, setting } from '../lib/base/settings.ts'

const description = {
  name: 'bass deploy',
  usage: 'DIR [--keep TIME]',
  operands: [1, 1],
  about: `Puts a runnable tree into DIR, such as a directory that machines share, and prints where it is.

It holds what runs and the packages that needs, nothing compiled for a machine: DIR/bin/bass,
DIR/slave/bin/task-taker and all others run wherever there are sh and Node.js 20.16 or later. DIR may
hold other things; links bin, dist, lib and the like in it lead to DIR/.trees/current.

A tree that was deployed there before is replaced with one rename. What runs goes on in its own
tree; task-takers end between two jobs, and all others soon, with 0, and
whatever keeps them running (bass up, supervise, runsv, s6-supervise, systemd) starts the new ones.
A replaced tree is deleted by the first deploy after TIME, which must be longer than any job.`,
  options: { keep: { type: 'string', value: 'TIME', about: 'how long replaced trees stay; by default 30d' } },
} as const

export const verb = command(description, ([directory], { keep = '30d' }) => {
  const span = parseDuration(keep)
  if (span === undefined) throw usage(description, `${quote(keep)} is not a time such as 12h or 30d`)
  process.stdout.write(`${deploy(setting('BASS_ROOT'), resolve(directory!), span)}\n`)
})
