// The notices of a channel, pending and delivered: files in its directory of the spool, each named by the
// number of a task and a stage. States N0 to N3 of lib/INTERNALS.md.
//   since          the numbers of what was over when the channel was new, and is not told
//   new/N.STAGE    a notice, whole: what is told stays the same, however often it has to be tried
//   done/N.STAGE   empty: it was told, or there was nothing to tell

import { readFileSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'

import { fsyncPath, publishFile, readIfThere } from '../../lib/system/durable.ts'
import { listAllIfThere, listIfThere } from '../../lib/system/listing.ts'
import { ignoringENOENT } from '../../lib/base/errno.ts'
import { makeDirectory } from '../../lib/spool/spool.ts'
import { STAGES } from './policy.ts'
import type { TaskStage } from './policy.ts'

export interface Key {
  readonly num: number
  readonly stage: TaskStage
}

const fileOf = ({ num, stage }: Key): string => `${num}.${stage}`

/** The order of delivery. */
const compareKeys = (a: Key, b: Key): number =>
  a.num - b.num || STAGES.indexOf(a.stage) - STAGES.indexOf(b.stage)

function parseKey(name: string): Key | undefined {
  const [num, stage] = name.split('.')
  const known = STAGES.find(word => word === stage)
  return known && /^\d+$/.test(num!) ? { num: Number(num), stage: known } : undefined
}

export class Records {
  readonly #new: string
  readonly #done: string
  /** The numbers of tasks that get no further notices except pending ones. */
  readonly #over: Set<number>
  /** Files of the stages before the last, of tasks that are not over. */
  readonly #before = new Set<string>()
  readonly #pending = new Map<string, Key>()

  /** Opens the records in `directory`. If there are none, `history` lists what a new channel is not told. */
  constructor(directory: string, history: () => readonly number[]) {
    this.#new = join(directory, 'new')
    this.#done = join(directory, 'done')
    for (const path of [this.#new, this.#done]) {
      makeDirectory(path)
      // Half of a record, left by a crash.
      for (const name of listAllIfThere(path)) if (name.startsWith('.')) remove(join(path, name))
    }
    const since = join(directory, 'since')
    if (!listAllIfThere(directory).includes('since')) publishFile(since, history().join('\n') + '\n')
    fsyncPath(directory)
    // A line for each task that was over: it may be longer than `readIfThere` takes.
    this.#over = new Set(readFileSync(since, 'utf8').split('\n').filter(Boolean).map(Number))
    const done = keysIn(this.#done)
    for (const key of done) this.#note(key)
    const told = new Set(done.map(fileOf))
    for (const key of keysIn(this.#new)) {
      this.#note(key)
      // N2: delivered, and stopped before the notice was removed.
      if (told.has(fileOf(key))) remove(join(this.#new, fileOf(key)))
      else this.#pending.set(fileOf(key), key)
    }
  }

  /** True if there is a record, or need not be. */
  has({ num, stage }: Key): boolean {
    return this.#over.has(num) || (stage !== 'over' && this.#before.has(fileOf({ num, stage })))
  }

  /** N0 to N1: records a notice, unless there is one; or N3, if there is nothing to deliver. */
  add(key: Key, notice: string | undefined): void {
    if (this.has(key)) return
    const directory = notice === undefined ? this.#done : this.#new
    publishFile(join(directory, fileOf(key)), notice ?? '')
    fsyncPath(directory)
    this.#note(key)
    if (notice !== undefined) this.#pending.set(fileOf(key), key)
  }

  /** The pending notices, in order. */
  pending(): Key[] {
    return [...this.#pending.values()].sort(compareKeys)
  }

  /** Reads the notice of a pending key; undefined if another notifier has delivered it. */
  read(key: Key): string | undefined {
    const notice = readIfThere(join(this.#new, fileOf(key)))
    if (notice === undefined) this.#pending.delete(fileOf(key))
    return notice
  }

  /** N1 to N3: records the delivery. */
  done(key: Key): void {
    publishFile(join(this.#done, fileOf(key)), '')
    fsyncPath(this.#done)
    remove(join(this.#new, fileOf(key)))
    this.#pending.delete(fileOf(key))
    // A delivered result makes earlier stages pointless.
    if (key.stage === 'over') for (const stage of STAGES.slice(0, -1)) this.#forget({ num: key.num, stage })
  }

  /** Forgets tasks that were pruned. Returns the notices lost by that: those that could not be delivered in time. */
  tidy(isThere: (num: number) => boolean): Key[] {
    const lost = [...this.#pending.values()].filter(({ num }) => !isThere(num))
    for (const key of lost) {
      remove(join(this.#new, fileOf(key)))
      this.#pending.delete(fileOf(key))
    }
    for (const key of keysIn(this.#done)) if (!isThere(key.num)) this.#forget(key)
    return lost
  }

  #note(key: Key): void {
    if (key.stage === 'over') this.#over.add(key.num)
    else this.#before.add(fileOf(key))
  }

  #forget(key: Key): void {
    remove(join(this.#done, fileOf(key)))
    if (key.stage === 'over') this.#over.delete(key.num)
    else this.#before.delete(fileOf(key))
  }
}

const keysIn = (directory: string): Key[] => listIfThere(directory).flatMap(name => parseKey(name) ?? [])
const remove = (path: string) => ignoringENOENT(() => unlinkSync(path))
