// A job: its directory, its owner, its verdict. Only its slave writes into a job, except for names that are
// taken with `link`: the verdict, its reason, and the name of the retry.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { fsyncPath, publishFile, publishPrepared, readIfThere, writeNew } from '../system/durable.ts'
import { noteChange } from '../system/polled.ts'
import { listIfThere } from '../system/listing.ts'
import { isGone, self } from '../system/process.ts'
import type { Identity } from '../system/process.ts'
import { trace } from '../system/trace.ts'
import type { Path } from '../base/brand.ts'
import { JOB, TASK } from './job-files.ts'

export const VERDICTS = ['success', 'failure', 'timeout', 'cancelled', 'lost', 'error'] as const
export type Verdict = (typeof VERDICTS)[number]

/** The owner of a job: the content of `owner.txt`, and of the `claim` in its task. */
export interface Owner extends Identity {
  readonly host: string
  /** The taker's working directory, which outlives the taker. */
  readonly slot: string
  /** Fresh for each claim. */
  readonly token: string
}

const OWNER_KEYS = ['host', 'boot', 'slot', 'pid', 'start', 'namespace', 'token'] as const

/** The owner that this process is for a claim. */
export function newOwner(host: string, slot: string, token: string): Owner {
  return { ...self(), host, slot, token }
}

/** Pure. */
export function formatOwner(owner: Owner): string {
  return OWNER_KEYS.map(key => `${key}=${owner[key]}\n`).join('')
}

/** The owner that a file names; undefined if it names none. Pure. */
export function parseOwner(text: string): Owner | undefined {
  const values = new Map(
    text.split('\n').map(line => [line.split('=', 1)[0], line.slice(line.indexOf('=') + 1)]),
  )
  const [host, boot, slot, pid, start, namespace, token] = OWNER_KEYS.map(key => values.get(key))
  if (!host || slot === undefined || !token || !pid || !/^\d+$/.test(pid)) return undefined
  return {
    host,
    boot: boot ?? '',
    slot,
    pid: Number(pid),
    start: start ?? '',
    namespace: namespace ?? '',
    token,
  }
}

/** The owner of a job, or of the claim in a task; undefined if there is none to be read. */
export function readOwner(
  directory: Path,
  file: typeof JOB.owner | typeof TASK.claim = JOB.owner,
): Owner | undefined {
  const text = readIfThere(join(directory, file))
  return text === undefined ? undefined : parseOwner(text)
}

/** True if the owner was of this host and slot and certainly is no more. */
export function isDeadSelf(owner: Owner, host: string, slot: string): boolean {
  return owner.host === host && owner.slot === slot && isGone(owner)
}

/** Makes the directory of a job to be, under its private name: alive, owned, and over already if `verdict` is given. */
export function makeJob(directory: Path, owner: Owner, verdict?: Verdict): void {
  mkdirSync(directory)
  // Empty, so its name is all of it: that is durable with the directory.
  writeFileSync(join(directory, JOB.alive), '')
  writeNew(join(directory, JOB.owner), formatOwner(owner))
  if (verdict) writeNew(join(directory, JOB.result), formatVerdict(verdict))
  fsyncPath(directory)
}

/** The content of `result.txt`. Pure. */
export const formatVerdict = (verdict: Verdict): string => verdict + '\n'

/** The verdict of a job, as its listing shows it; undefined while there is none. */
export function verdictOf(job: Path): Verdict | undefined {
  if (!listIfThere(job).includes(JOB.result)) return undefined
  const word = readIfThere(join(job, JOB.result))?.trim()
  return VERDICTS.find(verdict => verdict === word)
}

/** Says why a job ended as it did, and makes a sentence of it; the first one stands. */
export function explain(job: Path, why: string): void {
  publishFile(
    join(job, JOB.error),
    `${why[0]?.toUpperCase() ?? ''}${why.slice(1)}${why.endsWith('.') ? '' : '.'}\n`,
  )
}

/**
 * T3 to T4, first half: gives a job its verdict unless it has one; the first verdict stands. Returns the
 * verdict that stands, and whether it is this one. Makes the job's own directory durable, not its parent.
 * `prepared` is a file that holds the verdict already, as for `publishPrepared`.
 */
export function giveVerdict(
  job: Path,
  verdict: Verdict,
  prepared?: string,
): { stands: Verdict; ours: boolean } {
  const path = join(job, JOB.result)
  const ours =
    prepared === undefined ? publishFile(path, formatVerdict(verdict)) : publishPrepared(prepared, path)
  noteChange(job)
  fsyncPath(job)
  if (ours) trace(verdict === 'lost' ? 'L1' : 'T4', job)
  const stands = ours ? verdict : verdictOf(job)
  if (!stands) throw new Error(`${job}/result.txt holds no verdict`)
  return { stands, ours }
}
