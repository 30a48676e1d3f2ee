// bass service: has the supervisor of this machine keep programs of a spool running.

import { spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'

import { command, usage } from '../lib/system/command.ts'
import { listAllIfThere } from '../lib/system/listing.ts'
import { lasting, quote } from '../lib/base/exit.ts'
import { addServices, addUnits } from './setup/services.ts'
import type { Service } from './setup/services.ts'
import { PROGRAMS } from './setup/program-kinds.ts'
import type { SpoolProgram } from './setup/program-kinds.ts'
import { setting } from '../lib/base/settings.ts'
import { shellQuote } from '../lib/base/shell-quote.ts'
import { isPart } from '../lib/spool/task-name.ts'

/** An option for each program of which a spool has one. */
const SPOOL_OPTIONS = Object.fromEntries(
  PROGRAMS.filter(({ per }) => per === 'spool').map(({ name, about }) => [name, { type: 'boolean', about }]),
) as Readonly<Record<SpoolProgram, { readonly type: 'boolean'; readonly about: string }>>

const description = {
  name: 'bass service',
  usage: 'add DIR [--reaper] [--notifier] [--fetcher] [--reporter] [--project NAME] [--slots N] ...',
  operands: [2, 2],
  about: `Makes services in DIR that keep programs of SPOOL running on this machine.

DIR is what svscan (daemontools), runsvdir (runit) or s6-svscan looks at, such as /service; what is
made in it is printed. With --systemd it is a directory of units, such as /etc/systemd/system, and
what to type next is printed. Lines are logged in log/main of a service, or by journald.

It may be run again at any time, with a larger N too: what is there is never changed, and a warning
says where that differs from what would be made. How the programs are to be stopped: svc -d, sv
down, s6-svc -d, systemctl stop; a job that runs may go on for DRAIN.`,
  options: {
    ...SPOOL_OPTIONS,
    project: { type: 'string', value: 'NAME', about: 'the task-maker of this project' },
    slots: { type: 'string', value: 'N', about: 'N task-takers' },
    state: {
      type: 'string',
      value: 'PATH',
      about: 'where their slots are: PATH/1 and so on; else /var/lib/bass',
    },
    user: {
      type: 'string',
      value: 'NAME',
      about: "whom to run as; else as the supervisor, or 'bass' in units",
    },
    systemd: { type: 'boolean', about: 'units for systemd' },
  },
  environment: { SPOOL: 'the spool' },
} as const

interface Wanted extends Readonly<Record<SpoolProgram, boolean>> {
  readonly project: string | undefined
  readonly slots: string | undefined
  readonly state: string | undefined
}

export const verb = command(description, ([action, where], { systemd, user, ...wanted }) => {
  if (action !== 'add') throw usage(description, `${quote(action!)} is not 'add'`)
  if (user !== undefined && !/^[A-Za-z_][\w-]*$/.test(user))
    throw usage(description, `${quote(user)} cannot be the name of a user`)
  if (systemd && wanted.state !== undefined)
    throw usage(description, 'systemd keeps slots in /var/lib/bass: --state is for the others')
  if (user !== undefined && !isUser(user))
    throw lasting(
      `run services as ${quote(user)}`,
      `there is no such user; 'useradd --system ${user}' makes one`,
    )
  const spool = resolve(setting('SPOOL'))
  if (!listAllIfThere(spool).includes('tasks'))
    throw lasting(`use the spool ${quote(spool)}`, "there is none; 'bass init DIR' makes one")
  const services = servicesOf(wanted, spool)
  const directory = resolve(where!)
  mustBeThere(directory, systemd)
  const lines = systemd
    ? whatNext(addUnits(directory, spool, user, services))
    : addServices(directory, spool, user, services)
  process.stdout.write(lines.map(line => `${line}\n`).join(''))
})

function servicesOf(wanted: Wanted, spool: string): Service[] {
  const { project, slots, state = '/var/lib/bass' } = wanted
  if (slots !== undefined && !/^[1-9]\d{0,3}$/.test(slots))
    throw usage(description, `--slots wants a number, not ${quote(slots)}`)
  if (project !== undefined) checkProject(spool, project)
  const services: Service[] = []
  for (const program of PROGRAMS) {
    if (program.per === 'spool' && wanted[program.name]) services.push({ kind: program.name })
  }
  if (project !== undefined)
    services.push({ kind: 'task-maker', instance: project, values: { PROJECT: project } })
  for (let slot = 1; slot <= Number(slots ?? 0); slot++) {
    const instance = String(slot)
    services.push({ kind: 'task-taker', instance, values: { SLOT: resolve(state, instance) } })
  }
  if (services.length === 0)
    throw usage(
      description,
      `one of ${Object.keys(SPOOL_OPTIONS)
        .map(name => `--${name}`)
        .join(', ')}, --project and --slots must say what to run`,
    )
  return services
}

const isUser = (name: string) => spawnSync('id', ['-u', '--', name], { stdio: 'ignore' }).status === 0

/** Where supervisors look, on the systems that we know. */
const SCANNED = ['/service', '/etc/service', '/var/service', '/run/service', '/etc/sv']

/** A directory that is mistyped would be filled, and nobody would ever look at it. */
function mustBeThere(directory: string, systemd: boolean): void {
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return
  const known = (systemd ? ['/etc/systemd/system'] : SCANNED).filter(path => existsSync(path))
  const hint = known.length === 0 ? '' : `; there is ${known.join(', ')}`
  throw lasting(
    `add services to ${quote(directory)}`,
    `there is no such directory${hint}; 'mkdir -p ${shellQuote(directory)}' makes it`,
  )
}

function checkProject(spool: string, project: string): void {
  const conf = resolve(spool, 'conf')
  if (
    isPart(project) &&
    listAllIfThere(conf).includes(project) &&
    listAllIfThere(resolve(conf, project)).includes('rc')
  )
    return
  throw lasting(
    `find the project ${quote(project)}`,
    `there is no ${quote(resolve(conf, project, 'rc'))}; 'bass init ${shellQuote(spool)} --project' makes it`,
  )
}

const whatNext = (units: readonly string[]) => [
  'systemctl daemon-reload',
  `systemctl enable --now ${units.map(shellQuote).join(' ')}`,
]
