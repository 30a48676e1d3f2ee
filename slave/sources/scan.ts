// Which of the waiting tasks to try, and in which order. Pure, but for chance and the time that passes.

import type { TaskName } from '../../lib/spool/task-name.ts'

/**
 * The tasks of a listing that are for this architecture and host, beginning behind the number that was taken last and
 * coming around, so that waiting tasks are taken in turn; `tasks` are in the order of their numbers.
 */
export function candidates(
  tasks: readonly TaskName[],
  arch: string,
  host: string,
  lastNumber: number,
  taken: ReadonlySet<string>,
): TaskName[] {
  const ours = tasks.filter(t => isFor(t, arch, host) && !taken.has(t.name))
  const from = ours.findIndex(task => task.num > lastNumber)
  return from <= 0 ? ours : [...ours.slice(from), ...ours.slice(0, from)]
}

/** True if the task is for this architecture, and for this host or any. */
export function isFor(task: TaskName, arch: string, host: string): boolean {
  return task.arch === arch && (task.host === undefined || task.host === host)
}

/** True if something of this kind is not to be taken: `all`, `project:P` or `host:H`. */
export function isPaused(task: TaskName, host: string, pauses: ReadonlySet<string>): boolean {
  return pauses.has('all') || pauses.has(`project:${task.project}`) || pauses.has(`host:${host}`)
}

/** How long a listing of waiting tasks is worked off before there is a new one, in milliseconds. */
const FRESH_MS = 1000

/** Most candidates that are passed over at a time. */
const PASS_MAX = 256

/**
 * Gives out the `candidates` of the listing `tasks`, one by one, as long as that is fresh, or is what `list` answers still. It
 * is told of each whether a race for it was lost. Returns true if there may be more to do at once.
 */
export function* workOff(
  tasks: readonly TaskName[],
  candidates: readonly TaskName[],
  list: () => readonly TaskName[],
): Generator<TaskName, boolean, boolean> {
  let end = performance.now() + FRESH_MS
  let [pass, passed] = [0, false]
  for (const task of candidates) {
    if (performance.now() > end) {
      if (list() !== tasks) return true
      end = performance.now() + FRESH_MS
    }
    if (pass > 0) {
      pass--
      passed = true
    } else if (yield task) pass = passAfterRace(candidates.length)
  }
  return passed
}

/**
 * How many of so many candidates to pass over after a race for one was lost. Takers that go through the same listing go on
 * meeting: who is behind claims until he comes to what the other one has, passes that, and is beside him. So they are to be
 * far apart. What is passed over stays for the others, or for the next listing.
 */
const passAfterRace = (candidates: number): number =>
  Math.floor(Math.random() * Math.min(candidates, PASS_MAX))
