// bass service: has the supervisor of this machine keep programs of a spool running.

import { existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'

import { command, usage } from '../lib/system/command.ts'
import { listAllIfThere } from '../lib/system/listing.ts'
import { lasting, quote } from '../lib/base/exit.ts'
import { addServices, addUnits } from './setup/services.ts'
import { tellIfClosed } from './setup/spool-access.ts'
import type { Service } from './setup/services.ts'
import { PROGRAMS } from './setup/program-kinds.ts'
import type { ProgramName, SingleProgram } from './setup/program-kinds.ts'
import { optional, setting } from '../lib/base/settings.ts'
import { shellQuote } from '../lib/base/shell-quote.ts'
import { warn } from '../lib/system/log.ts'
import { lookUpUser } from '../lib/system/user.ts'
import { isPart } from '../lib/spool/task-name.ts'

/** An option for each program of which a spool, or a machine of a farm, has one. */
const SINGLE_OPTIONS = Object.fromEntries(
  PROGRAMS.filter(({ per }) => per === 'spool' || per === 'farm').map(({ name, about }) => [
    name,
    { type: 'boolean', about },
  ]),
) as Readonly<Record<SingleProgram, { readonly type: 'boolean'; readonly about: string }>>

const aboutOf = (program: ProgramName): string => PROGRAMS.find(({ name }) => name === program)!.about

const description = {
  name: 'bass service',
  usage: 'add DIR [--reaper] [--notifier] ... [--project NAME] [--slots N] [--farmer] [--workers N]',
  operands: [2, 2],
  about: `Makes services in DIR that keep programs of SPOOL, or of a farm, running on this machine.

DIR is what svscan (daemontools), runsvdir (runit) or s6-svscan looks at, such as /service; what is
made in it is printed. With --systemd it is a directory of units, such as /etc/systemd/system, and
what to type next is printed. Lines are logged in log/main of a service, or by journald.

It may be run again at any time, with a larger N too: what is there is never changed, and a warning
says where that differs from what would be made. How the programs are to be stopped: svc -d, sv
down, s6-svc -d, systemctl stop; a job that runs may go on for DRAIN.

A farmer and workers read their settings from BASS_RC, by default /etc/bass/rc: FARMER_URL,
WORKER_SECRET_FILE, DATABASE_URL and so on, as lines NAME=VALUE.`,
  options: {
    ...SINGLE_OPTIONS,
    workers: { type: 'string', value: 'N', about: aboutOf('worker') },
    project: { type: 'string', value: 'NAME', about: aboutOf('task-maker') },
    slots: { type: 'string', value: 'N', about: aboutOf('task-taker') },
    state: {
      type: 'string',
      value: 'PATH',
      about: 'where takers and workers keep what is theirs: PATH/1 and so on; else /var/lib/bass',
    },
    user: {
      type: 'string',
      value: 'NAME',
      about: "whom to run as; else as the supervisor, or 'bass' in units",
    },
    systemd: { type: 'boolean', about: 'units for systemd' },
  },
  environment: { SPOOL: 'the spool', BASS_RC: 'the settings of a farmer and of workers' },
} as const

interface Wanted extends Readonly<Record<SingleProgram, boolean>> {
  readonly project: string | undefined
  readonly slots: string | undefined
  readonly workers: string | undefined
  readonly state: string | undefined
}

export const verb = command(description, ([action, where], { systemd, user, ...wanted }) => {
  if (action !== 'add') throw usage(description, `${quote(action!)} is not 'add'`)
  if (user !== undefined && !/^[A-Za-z_][\w-]*$/.test(user))
    throw usage(description, `${quote(user)} cannot be the name of a user`)
  if (systemd && wanted.state !== undefined)
    throw usage(description, 'systemd keeps them in /var/lib/bass: --state is for the others')
  const account = user === undefined ? undefined : lookUpUser(user)
  if (user !== undefined && !account) throw lasting(`run services as ${quote(user)}`, noSuchUser(user))
  const services = servicesOf(wanted)
  const places = {
    SPOOL: services.every(({ kind }) => isOfFarm(kind)) ? undefined : findSpool(),
    BASS_RC: optional('BASS_RC') ?? '/etc/bass/rc',
  }
  const directory = resolve(where!)
  mustBeThere(directory, systemd)
  const lines = systemd
    ? whatNext(addUnits(directory, places, user, services))
    : addServices(directory, places, user, services)
  process.stdout.write(lines.map(line => `${line}\n`).join(''))
  const unitUser = systemd && user === undefined ? lookUpUser(UNIT_USER) : account
  if (systemd && !unitUser) warn('run units as', UNIT_USER, noSuchUser(UNIT_USER))
  if (unitUser && places.SPOOL !== undefined) tellIfClosed(places.SPOOL, unitUser)
})

/** Whom the units of examples/systemd run as. */
const UNIT_USER = 'bass'

const noSuchUser = (user: string) => `there is no such user; 'useradd --system ${user}' makes one`

function servicesOf(wanted: Wanted): Service[] {
  const { project, state = '/var/lib/bass' } = wanted
  if (project !== undefined) checkProject(findSpool(), project)
  const services: Service[] = []
  for (const program of PROGRAMS) {
    if ((program.per === 'spool' || program.per === 'farm') && wanted[program.name])
      services.push({ kind: program.name })
  }
  if (project !== undefined)
    services.push({ kind: 'task-maker', instance: project, values: { PROJECT: project } })
  for (const instance of numbers(wanted, 'slots'))
    services.push({ kind: 'task-taker', instance, values: { SLOT: resolve(state, instance) } })
  for (const instance of numbers(wanted, 'workers'))
    services.push({ kind: 'worker', instance, values: { SLOT: resolve(state, `worker-${instance}`) } })
  if (services.length === 0)
    throw usage(
      description,
      `one of ${Object.keys(SINGLE_OPTIONS)
        .map(name => `--${name}`)
        .join(', ')}, --project, --slots and --workers must say what to run`,
    )
  return services
}

function findSpool(): string {
  const spool = resolve(setting('SPOOL'))
  if (listAllIfThere(spool).includes('tasks')) return spool
  throw lasting(`use the spool ${quote(spool)}`, "there is none; 'bass init DIR' makes one")
}

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

/** `1` and so on, as many as the option says. */
function numbers(wanted: Wanted, option: 'slots' | 'workers'): string[] {
  const count = wanted[option] ?? '0'
  if (wanted[option] !== undefined && !/^[1-9]\d{0,3}$/.test(count))
    throw usage(description, `--${option} wants a number, not ${quote(count)}`)
  return Array.from({ length: Number(count) }, (_, index) => String(index + 1))
}

const isOfFarm = (kind: ProgramName): boolean => kind === 'farmer' || kind === 'worker'

function checkProject(spool: string, project: string): void {
  const conf = resolve(spool, 'conf')
  const there = listAllIfThere(conf).filter(name => listAllIfThere(resolve(conf, name)).includes('rc'))
  if (isPart(project) && there.includes(project)) return
  const names = there.map(quote).join(', ') || 'none'
  throw lasting(
    `find the project ${quote(project)}`,
    `the projects of this spool are ${names}; 'bass init ${shellQuote(spool)} --project NAME --code REPO --hook' makes one`,
  )
}

const whatNext = (units: readonly string[]) => [
  'systemctl daemon-reload',
  `systemctl enable --now ${units.map(shellQuote).join(' ')}`,
]
