// Keeps the programs of a spool running on this machine: service directories for daemontools, runit and s6,
// or units for systemd, from examples/ with paths and names filled in.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { fsyncPath, move, token, writeNew } from '../../lib/system/durable.ts'
import { remove } from '../../lib/system/remove.ts'
import { listAllIfThere } from '../../lib/system/listing.ts'
import { lasting, quote } from '../../lib/base/exit.ts'
import { warn } from '../../lib/system/log.ts'
import { makeFile } from './make.ts'
import type { ProgramName } from './program-kinds.ts'
import { setting } from '../../lib/base/settings.ts'
import { shellQuote } from '../../lib/base/shell-quote.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { HOME } from '../../lib/system/tree.ts'

/** One program to keep running. */
export interface Service {
  readonly kind: ProgramName
  /** Which one, where there may be several: the project, the number of the slot. */
  readonly instance?: string
  /** Variables that only its run script sets. */
  readonly values?: Readonly<Record<string, string>>
}

/** Places of this machine that services are told. */
export interface ServicePlaces {
  /** The spool; undefined where all are of a farm, which knows none. */
  readonly SPOOL: string | undefined
  /** The file of settings, for those of a farm. */
  readonly BASS_RC: string
}

/** Files by their path in a service directory or in that of the units. */
type Files = ReadonlyMap<string, { readonly content: string; readonly mode: number }>

/**
 * Makes service directories in `directory`, which a supervisor may be scanning: it sees each of them whole or
 * not at all. Returns the paths of the new ones.
 */
export function addServices(
  directory: string,
  places: ServicePlaces,
  user: string | undefined,
  services: readonly Service[],
): string[] {
  makeDirectories(directory)
  const made = services.flatMap(service => {
    const name = nameOf(service)
    const files = filesOf(service, places, user)
    if (listAllIfThere(directory).includes(name)) {
      complete(join(directory, name), files)
      return []
    }
    return makeService(directory, name, files) ? [join(directory, name)] : []
  })
  fsyncPath(directory)
  return made
}

/** Makes units in `directory`; returns the names for `systemctl enable`. */
export function addUnits(
  directory: string,
  places: ServicePlaces,
  user: string | undefined,
  services: readonly Service[],
): string[] {
  for (const text of [HOME, places.SPOOL ?? '', places.BASS_RC, ...services.map(nameOf)]) {
    // Characters special to systemd would need a different escape on each line.
    if (!/^[\w./:@-]*$/.test(text)) throw lasting(`write ${quote(text)} into a unit`, 'it has odd characters')
  }
  makeDirectories(directory)
  const units = services.map(service => {
    const unit = `${unitOf({ kind: service.kind, ...(service.instance === undefined ? {} : { instance: '' }) })}.service`
    const content = example('systemd', unit)
      .replaceAll('/opt/bass', HOME)
      .replaceAll('/srv/bass', places.SPOOL ?? '')
      .replaceAll('/etc/bass/rc', places.BASS_RC)
      .replace(/^User=.*$/m, line => (user === undefined ? line : `User=${user}`))
    return [unit, { content, mode: 0o644 }] as const
  })
  complete(directory, new Map(units))
  return services.map(unitOf)
}

const nameOf = ({ kind, instance }: Service) => `bass-${kind}${instance === undefined ? '' : `-${instance}`}`

const unitOf = ({ kind, instance }: Service) => `bass-${kind}${instance === undefined ? '' : `@${instance}`}`

const example = (...path: string[]) => readFileSync(join(setting('BASS_ROOT'), 'examples', ...path), 'utf8')

function filesOf({ kind, values }: Service, places: ServicePlaces, user: string | undefined): Files {
  const assigned: Record<string, string | undefined> = { BASS: HOME, ...places, RUN_AS: user, ...values }
  const run = example('service', kind, 'run').replace(/^([A-Z_]+)=.*$/gm, (line, name: string) => {
    const value = assigned[name]
    return value === undefined ? line : `${name}=${shellQuote(value)}`
  })
  const log = example('service', kind, 'log/run')
  return new Map([
    ['run', { content: run, mode: 0o755 }],
    ['log/run', { content: log, mode: 0o755 }],
  ])
}

/** Supervisors ignore names that begin with a dot. Returns false if the service exists by now. */
function makeService(directory: string, name: string, files: Files): boolean {
  const making = join(directory, `.${name}.${token()}`)
  try {
    makeDirectories(join(making, 'log'))
    for (const [path, { content, mode }] of files) writeNew(join(making, path), content, mode)
    fsyncPath(join(making, 'log'))
    fsyncPath(making)
    return move(making, join(directory, name))
  } finally {
    remove(making)
  }
}

/** Makes the missing files. An existing one that differs is left to the user who changed it. */
function complete(directory: string, files: Files): void {
  for (const [path, { content, mode }] of files) {
    const file = join(directory, path)
    makeFile(file, content, mode)
    if (readFileSync(file, 'utf8') !== content)
      warn('renew', file, 'it was changed, or is of another version; move it away and it is made again')
  }
}
