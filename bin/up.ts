// bass up: the programs of a spool in the foreground of one terminal.

import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'

import { command, usage } from '../lib/system/command.ts'
import { quote, temporary } from '../lib/base/exit.ts'
import { duration, setting } from '../lib/base/settings.ts'
import { followSettings } from './setup/follow.ts'
import { programsOf, stateOfPrograms } from './setup/programs.ts'
import { environmentToFill, filled } from '../lib/conf/sourced.ts'
import { isUp } from './setup/what-next.ts'
import { Supervisor } from './setup/supervisor.ts'

/** The time programs get beyond DRAIN to end, in milliseconds: longer than the 5 s that a step gets after TERM. */
const END_BEYOND_DRAIN_MS = 10_000

const description = {
  name: 'bass up',
  usage: '[DIR] [--takers N] [--web]',
  operands: [0, 1],
  about: `Runs all programs of the spool DIR, or of SPOOL, in the foreground, for one machine and one terminal.

These are a task-maker for each project, the reaper, N task-takers, whose slots are in DIR/slots,
and the notifier where somebody is to be told. Each line of output begins with who said it. What
ends is started again, after a wait that grows to 30 s; what ends with 100 is not, because it would
fail again.

Ctrl-C, TERM or HUP stop everything: a job that runs may go on for DRAIN, then its task is
published again for others. The second time is final. If this is killed, they stop as well, where
there is setpriv(1).

It follows the settings: a project that is added is served, one that is gone is not, and the
programs that read a file which has changed end as soon as they can be spared, a taker after its
job, and are started again. Where a file cannot be read, all goes on as it was.`,
  options: {
    takers: { type: 'string', value: 'N', about: 'how many task-takers; by default one for each processor' },
    web: { type: 'boolean', about: 'the reporter too: web pages at REPORTER_LISTEN' },
  },
  environment: {
    SPOOL: 'the spool, where DIR does not say',
    HOST: 'slots are named after it',
    DRAIN: 'how long jobs may go on',
    REPORTER_LISTEN: 'where the pages are served',
    NO_COLOR: 'no colours, as anywhere but on a terminal',
  },
} as const

export const verb = command(description, async ([directory], { takers, web }) => {
  if (takers !== undefined && !/^\d{1,4}$/.test(takers)) throw usage(description, '--takers wants a number')
  const root = resolve(directory ?? setting('SPOOL'))
  if (isUp(root))
    throw temporary(`run the programs of ${quote(root)}`, "another 'bass up' does so on this host")
  const env = environmentToFill(root)
  const wish = { root, env, web, takers: takers === undefined ? availableParallelism() : Number(takers) }
  const state = stateOfPrograms(root, env)
  const programs = programsOf(wish)
  let tell = teller(programs.map(program => program.name))
  const grace = duration('DRAIN', filled(root, env)) + END_BEYOND_DRAIN_MS
  const supervisor = new Supervisor(programs, grace, (name, line) => tell(name, line))
  followSettings(supervisor, wish, state, line => tell('up', line))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => supervisor.stop())
  process.on('SIGHUP', () => {
    // The terminal is gone: writing to it would end this program before the others.
    tell = () => undefined
    supervisor.stop()
  })
  return await supervisor.ended
})

/** Prints lines, each behind the name of its program; on a terminal in a colour of its own. */
function teller(first: readonly string[]): (name: string, line: string) => void {
  const names = [...first]
  let width = Math.max(...names.map(name => name.length))
  const colour = process.stdout.isTTY && !process.env['NO_COLOR']
  return (name, line) => {
    if (!names.includes(name)) names.push(name)
    width = Math.max(width, name.length)
    const label = `${name.padEnd(width)} |`
    const code = 31 + (names.indexOf(name) % 6)
    process.stdout.write(colour ? `\x1b[${code}m${label}\x1b[0m ${line}\n` : `${label} ${line}\n`)
  }
}
