// The identity of a process. A pid alone is reused sooner or later. On systems without /proc unknown parts
// are empty, and no process is ever taken for gone.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'

import { tolerating } from '../base/errno.ts'

export interface Identity {
  /** Fresh with every boot of the host. */
  readonly boot: string
  /** The pid namespace in which `pid` means something. */
  readonly namespace: string
  readonly pid: number
  /** Its start in clock ticks since boot, which distinguishes it from a later process with the same pid. */
  readonly start: string
}

const GONE = ['ENOENT', 'ESRCH', 'EACCES', 'EPERM'] as const

/**
 * The start time of a process, in clock ticks since boot (field 22 of proc(5) stat); empty if there is none. One that
 * is over and only waits for its parent to hear of it is none.
 */
export function startOf(pid: number | 'self'): string {
  const stat = tolerating(GONE, () => readFileSync(`/proc/${pid}/stat`, 'latin1'))
  // The command in brackets may hold anything: fields are counted from behind it.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ') ?? []
  return fields[0] === 'Z' || fields[0] === 'X' ? '' : (fields[19] ?? '')
}

const bootId = () =>
  tolerating(GONE, () => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()) ?? ''
const pidNamespace = () => tolerating(GONE, () => readlinkSync('/proc/self/ns/pid')) ?? ''

let me: Identity | undefined

/** This process. */
export function self(): Identity {
  return (me ??= { boot: bootId(), namespace: pidNamespace(), pid: process.pid, start: startOf('self') })
}

/**
 * True if that process of this host is certainly over: it was of another boot, or it was of our pid namespace and no
 * process of that pid and start time is left.
 */
export function isGone(other: Identity): boolean {
  const boot = bootId()
  if (boot === '' || other.boot === '') return false
  if (other.boot !== boot) return true
  const namespace = pidNamespace()
  return namespace !== '' && other.namespace === namespace && startOf(other.pid) !== other.start
}

/** Every process whose environment has this entry (`KEY=VALUE`), as far as we may read it: pids, without our own. */
export function processesWith(entry: string): number[] {
  const pids = (tolerating(GONE, () => readdirSync('/proc')) ?? [])
    .filter(name => /^\d+$/.test(name))
    .map(Number)
  return pids.filter(pid => {
    if (pid === process.pid) return false
    const environment = tolerating(GONE, () => readFileSync(`/proc/${pid}/environ`, 'utf8'))
    return environment?.split('\0').includes(entry) === true
  })
}
