// What a slave tries its places with: a small file in its slot, and a program in JOBTMP, which is made and run. The program's
// name says which process made it, so that any slave of the machine can remove it once that process is over.

import { unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { ignoringENOENT, tolerating } from '../../lib/base/errno.ts'
import { token } from '../../lib/system/durable.ts'
import { listAllIfThere } from '../../lib/system/listing.ts'
import { isGone, self } from '../../lib/system/process.ts'
import { failureOf, run } from '../../lib/system/run.ts'

const SLOT_FILE = '.try'
const PREFIX = 'bass-try-'
const NAME = /^bass-try-([^.]*)\.([^.]*)\.(\d+)\.(\d*)\.[0-9a-f]+$/

/** Somebody else's, in a place that many may write, or on a disk that is away: a later try meets it again. */
const LEFT = [
  'EACCES',
  'EPERM',
  'EROFS',
  'EISDIR',
  'EIO',
  'ESTALE',
  'EMFILE',
  'ENOMEM',
  'ENOENT',
  'ENOTDIR',
] as const

/** Writes as much as it takes to need a block. */
export function trySlot(slot: string): void {
  const path = join(slot, SLOT_FILE)
  ignoringENOENT(() => unlinkSync(path))
  writeFileSync(path, 'x'.repeat(4096))
  tolerating(LEFT, () => unlinkSync(path))
}

/** Makes a program in JOBTMP and runs it; fails if that cannot be done. */
export async function tryJobtmp(jobtmp: string, PATH: string): Promise<void> {
  sweepTries(jobtmp)
  const { boot, namespace, pid, start } = self()
  const program = join(jobtmp, `${PREFIX}${boot}.${namespace}.${pid}.${start}.${token()}`)
  try {
    writeFileSync(program, '#!/bin/sh\nexit 0\n', { mode: 0o700, flag: 'wx' })
    const ran = await run([program], { env: { PATH } })
    if (ran.code !== 0) throw new Error(failureOf(ran))
  } finally {
    tolerating(LEFT, () => unlinkSync(program))
  }
}

/** Removes what is left of tries: of processes that are over, and of this one, which tries once at a time. */
export function sweepTries(jobtmp: string): void {
  // What may be written need not be one that we may list.
  for (const name of tolerating(LEFT, () => listAllIfThere(jobtmp)) ?? []) {
    const [, boot, namespace, pid, start] = NAME.exec(name) ?? []
    if (boot === undefined) continue
    const other = { boot, namespace: namespace!, pid: Number(pid), start: start! }
    const isOurs = other.pid === self().pid && other.start === self().start && namespace === self().namespace
    if (isOurs || isGone(other)) tolerating(LEFT, () => unlinkSync(join(jobtmp, name)))
  }
}
