// Checks the hosts whose takers are alive: whether each name is unique, and their clocks. A beat sets the
// times of a file by the taker's clock, so a beat that arrives now shows that clock.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { readIfThere, timeOf, token, writeNew } from '../../lib/system/durable.ts'
import { remove } from '../../lib/system/remove.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import { tolerating } from '../../lib/base/errno.ts'
import { self } from '../../lib/system/process.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { parseParams } from '../../lib/spool/event.ts'
import { fine, wrong } from './finding.ts'
import type { Finding } from './finding.ts'

/** How often to look for a new beat, and for how long, in milliseconds: longer than a beat and what NFS remembers. */
const BEAT_LOOK_MS = 50
const LONG = 3500

/** How far clocks may be apart, in milliseconds: more than a beat may take to be seen. */
const APART = 5000

export interface LiveTaker {
  readonly host: string
  readonly boot: string
  readonly arch: string
  /** Why it takes no tasks; undefined if nothing is wrong there. */
  readonly fault: string | undefined
  /** How far its clock is ahead of ours, in milliseconds. */
  readonly ahead: number
}

/** The takers of which we see a beat; returns as soon as all that may be alive have beaten. */
export async function watchTakers(spool: Spool): Promise<LiveTaker[]> {
  const files = new Map(
    listIfThere(spool.takers)
      .filter(name => listIfThere(join(spool.takers, name)).includes('alive'))
      .map(name => [name, timeOf(join(spool.takers, name, 'alive'))]),
  )
  const alive: LiveTaker[] = []
  const end = performance.now() + LONG
  while (files.size > 0 && performance.now() < end) {
    await sleep(BEAT_LOOK_MS)
    for (const [name, before] of files) {
      const time = timeOf(join(spool.takers, name, 'alive'))
      if (time === null || time === before) continue
      files.delete(name)
      const { host, boot, arch } = parseParams(readIfThere(join(spool.takers, name, 'about.txt')) ?? '')
      const fault = readIfThere(join(spool.takers, name, 'fault.txt'))?.trim()
      if (host && boot !== undefined && arch)
        alive.push({ host, boot, arch, fault, ahead: time - Date.now() })
    }
  }
  return alive
}

/** `host` and `boot` are ours. */
export function checkHostNames(takers: readonly LiveTaker[], host: string, boot = self().boot): Finding[] {
  const boots = new Map([[host, new Set([boot])]])
  for (const taker of takers) boots.set(taker.host, (boots.get(taker.host) ?? new Set()).add(taker.boot))
  return [...boots].map(([name, { size }]) =>
    size === 1
      ? fine(
          'host-name',
          name,
          name === host ? 'no other host with a taker has our name' : 'one host has this name',
        )
      : wrong(
          'host-name',
          name,
          `${size} hosts have this name: each ends the jobs of the other as dead, and NFS 4 takes them for one`,
          'hostnamectl set-hostname NAME on one of them; where only BASS is concerned, set HOST',
        ),
  )
}

/** Whether those that are alive can run jobs. */
export function checkTakers(takers: readonly LiveTaker[]): Finding[] {
  return takers.map(({ host, fault }) =>
    fault === undefined
      ? fine('taker', host, 'a taker is alive')
      : wrong('taker', host, fault, `mend it on ${host}; its taker tries again within a minute`),
  )
}

export function checkClocks(spool: Spool, takers: readonly LiveTaker[], host: string): Finding[] {
  const clocks = new Map([['the file server', serverAhead(spool.tasks.tmp)]])
  for (const taker of takers) if (taker.host !== host) clocks.set(taker.host, taker.ahead)
  return [...clocks].map(([name, ahead]) => {
    if (ahead === undefined) return fine('clock', name, 'cannot be asked')
    const seconds = Math.round(Math.abs(ahead) / 1000)
    if (Math.abs(ahead) <= APART) return fine('clock', name, 'agrees with ours')
    const text = `it is ${seconds} s ${ahead > 0 ? 'ahead of' : 'behind'} ours`
    return wrong('clock', name, `${text}: times of logs and jobs mislead`, 'timedatectl set-ntp true on both')
  })
}

/** The clock that gives new files their times. */
function serverAhead(directory: string): number | undefined {
  const path = join(directory, `.doctor-${token()}`)
  return tolerating(['EACCES', 'EPERM', 'ENOENT', 'EROFS', 'ENOSPC', 'EDQUOT', 'EIO', 'ESTALE'], () => {
    try {
      writeNew(path, '')
      return timeOf(path)! - Date.now()
    } finally {
      remove(path)
    }
  })
}
