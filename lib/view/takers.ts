// The takers that a spool has seen, as they describe themselves in `takers/SLOT`.

import { join } from 'node:path'

import { readIfThere, timeOf } from '../system/durable.ts'
import { listIfThere } from '../system/listing.ts'
import type { Spool } from '../spool/spool.ts'
import { parseParams } from '../spool/event.ts'
import type { TaskView } from './view.ts'

/** How its machine fares, as a taker says once a minute. */
export interface MachineView {
  /** Processes that ran or wanted to, on average over a minute, and how many can at once. */
  readonly load: number
  readonly cpus: number
  /** Bytes on the disk of its working directory: those that it may still use, and all. */
  readonly diskFree: number
  readonly diskSize: number
}

/** What runs jobs there, in a word: the task-takers of a spool, or the workers of a farm. */
export type Crew = 'taker' | 'worker'

/** That nobody of a crew is known. A spool remembers takers that have ended; a farmer knows workers while they are there. */
export const NOBODY: Readonly<Record<Crew, string>> = { taker: 'has been seen', worker: 'is connected' }

export interface TakerView {
  readonly host: string
  /** Its working directory on that host; null where that is not for everybody to know. */
  readonly slot: string | null
  readonly arch: string
  readonly version: string | null
  /** `stopped`: it ended as it should; `silent`: it stopped beating without a word. */
  readonly state: 'idle' | 'busy' | 'stopped' | 'silent'
  /** Why it takes no tasks though it is alive, as `disk full: ...`; null if nothing is wrong there. */
  readonly fault: string | null
  /** Null if it is stopped, or has not said. */
  readonly machine: MachineView | null
  /** Its last beat; null if it is stopped. */
  readonly beat: number | null
  /** The name of the task it runs. */
  readonly task: string | null
}

/**
 * Returns the takers, by host and slot. `views` are those of `tasks/cur` and `jobs/cur`, and say which taker
 * runs what. A beat older than `silentAfter` milliseconds counts as silence. This compares clocks, so it may
 * inform people and must decide nothing.
 */
export function readTakers(
  spool: Spool,
  views: readonly TaskView[],
  silentAfter: number,
  now = Date.now(),
): TakerView[] {
  const running = new Map<string, string>()
  for (const { state, job, name } of views) {
    if (state === 'running' && job?.host && job.slot !== null) running.set(`${job.host}\0${job.slot}`, name)
  }
  const takers: TakerView[] = []
  for (const entry of listIfThere(spool.takers)) {
    const { host, slot, arch, version } = parseParams(
      readIfThere(join(spool.takers, entry, 'about.txt')) ?? '',
    )
    if (!host || slot === undefined || !arch) continue
    const beat = listIfThere(join(spool.takers, entry)).includes('alive')
      ? timeOf(join(spool.takers, entry, 'alive'))
      : null
    const alive = beat !== null && now - beat <= silentAfter
    const fault = (alive && readIfThere(join(spool.takers, entry, 'fault.txt'))?.trim()) || null
    const machine = alive ? parseMachine(readIfThere(join(spool.takers, entry, MACHINE_FILE)) ?? '') : null
    const task = running.get(`${host}\0${slot}`) ?? null
    const state = alive ? (task ? 'busy' : 'idle') : beat === null ? 'stopped' : 'silent'
    takers.push({ host, slot, arch, version: version ?? null, state, fault, machine, beat, task })
  }
  return takers.sort((a, b) => compare(a.host, b.host) || compare(a.slot ?? '', b.slot ?? ''))
}

/** In the directory of a taker. */
export const MACHINE_FILE = 'machine.txt'

/** The content of `machine.txt`. Pure. */
export const formatMachine = (machine: MachineView): string =>
  Object.entries(machine)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')

/** Null if a part of it is not there, as while it is written. */
function parseMachine(text: string): MachineView | null {
  const said = parseParams(text)
  const number = (key: keyof MachineView) => Number(said[key] || NaN)
  const machine = {
    load: number('load'),
    cpus: number('cpus'),
    diskFree: number('diskFree'),
    diskSize: number('diskSize'),
  }
  return text.endsWith('\n') && Object.values(machine).every(Number.isFinite) ? machine : null
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)
