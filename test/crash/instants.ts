// The instants of a run: at each of its file operations, each way in which it can end there. Pure.

import type { Operation } from '../fixtures/fault.ts'

/**
 * What happens: the program is killed; it is killed, and what recovers from that as well; an operation fails; the whole
 * machine stops, and the disk keeps only what was fsynced; the program stops, others do its work, and it goes on, when
 * what they did is still where it was made, or when it has been archived; beside others who work, a listing fails once, or
 * everything does for as long as they work; two programs stop, the one that came first goes on first.
 */
export const KINDS = [
  'crash',
  'double crash',
  'error',
  'power cut',
  'undead',
  'undead later',
  'listing',
  'away',
  'two stops',
] as const
export type Kind = (typeof KINDS)[number]

export interface Instant {
  readonly kind: Kind
  /** `K:ACTION`, as the preload takes it. */
  readonly fault: string
  /** A second one, for what runs in the recovery that follows. */
  readonly again?: string
  /** What the K-th operation is. */
  readonly operation: Operation
}

/** True of kinds for which what only looks counts as well. */
export const withLooks = (kind: Kind): boolean => ['listing', 'away', 'two stops'].includes(kind)

/** Errors that a listing may give, and one that only what ought to be there must not be believed for. */
const LISTING_ERRORS = ['ESTALE', 'EIO', 'EMFILE', 'ENOMEM']
const OUGHT = /^spool\/(?:(?:tasks|jobs)\/(?:tmp|cur|old)|tasks\/ctr)$/

/** Errors that a file system may give at any time, and what else it says to each operation. */
const ERRORS = ['ENOSPC', 'EIO', 'EDQUOT', 'ESTALE']
const MORE_ERRORS: Record<string, string[]> = { open: ['EMFILE'] }

/** Of each scenario, how many pairs of crashes. */
const PAIRS = 50

/** Done, and yet reported as failed: what a network file system says when it hears the question a second time. */
const LIES: Record<string, string[]> = {
  rename: ['done-ENOENT', 'done-EIO'],
  link: ['done-EEXIST', 'done-EIO'],
  mkdir: ['done-EEXIST', 'done-EIO'],
  unlink: ['done-ENOENT'],
  rmdir: ['done-ENOENT'],
}

/** SIGKILL before each operation, and after each that makes a difference: else that is before the next. */
function crashes(operations: readonly Operation[]): Instant[] {
  return operations.flatMap(operation =>
    at('crash', operation, matters(operation) ? ['kill', 'kill-after'] : ['kill']),
  )
}

/** Every error of each operation, and every lie about it. */
function errors(operations: readonly Operation[]): Instant[] {
  return operations.flatMap(operation =>
    at('error', operation, [
      ...ERRORS,
      ...(MORE_ERRORS[operation.kind] ?? []),
      ...(LIES[operation.kind] ?? []),
    ]),
  )
}

function at(kind: Kind, operation: Operation, actions: readonly string[]): Instant[] {
  return actions.map(action => ({ kind, fault: `${operation.k}:${action}`, operation }))
}

const matters = ({ kind }: Operation) => kind !== 'times' && kind !== 'close'

/** The operation that never comes, since all has been done. */
export const END = 'end'

/** A power cut before each operation, of whatever process, that makes a difference to the disk, and one after all. */
function powerCuts(operations: readonly Operation[]): Instant[] {
  const end: Operation = { k: operations.length + 1, kind: END, path: '', to: '', failed: false }
  return [...operations.filter(matters), end].flatMap(operation => at('power cut', operation, ['kill']))
}

/** SIGSTOP before each operation that makes a difference to others, and SIGCONT when they have done the work. */
const undead =
  (kind: Kind) =>
  (operations: readonly Operation[]): Instant[] =>
    operations
      .filter(operation => matters(operation) && operation.kind !== 'fsync')
      .flatMap(operation => at(kind, operation, ['stop']))

/** Pairs of a crash and a second one in the recovery that follows; not all there are. */
function doubleCrashes(operations: readonly Operation[]): Instant[] {
  const all = crashes(operations)
  // Strides that share no factor with the number of instants: each pair is another one.
  return Array.from({ length: Math.min(PAIRS, all.length) }, (_, i) => ({
    ...all[(i * 7919) % all.length]!,
    kind: 'double crash',
    again: all[(i * 104_729 + i * i) % all.length]!.fault,
  }))
}

/** Every error of each listing. */
function listings(operations: readonly Operation[]): Instant[] {
  return operations
    .filter(({ kind }) => kind === 'list')
    .flatMap(operation =>
      at('listing', operation, OUGHT.test(operation.path) ? [...LISTING_ERRORS, 'ENOENT'] : LISTING_ERRORS),
    )
}

/** From each operation on, all of them fail. */
function aways(operations: readonly Operation[]): Instant[] {
  return operations.flatMap(operation =>
    LISTING_ERRORS.map(error => ({ kind: 'away', fault: `${operation.k}+:${error}`, operation })),
  )
}

/** Pairs of stops, of the program and of a second one like it; not all there are. */
function twoStops(operations: readonly Operation[]): Instant[] {
  const all = operations.filter(operation => matters(operation) && operation.kind !== 'fsync')
  return Array.from({ length: Math.min(PAIRS * 4, all.length ** 2) }, (_, i) => ({
    kind: 'two stops',
    fault: `${all[(i * 7919) % all.length]!.k}:stop`,
    again: `${all[(i * 104_729 + Math.floor(i / all.length)) % all.length]!.k}:stop`,
    operation: all[(i * 7919) % all.length]!,
  }))
}

/** All instants of a kind. */
export const INSTANTS: Readonly<Record<Kind, (operations: readonly Operation[]) => Instant[]>> = {
  crash: crashes,
  'double crash': doubleCrashes,
  error: errors,
  'power cut': powerCuts,
  undead: undead('undead'),
  'undead later': undead('undead later'),
  listing: listings,
  away: aways,
  'two stops': twoStops,
}

/** `most` of them, evenly spread; another choice for another `turn`. */
export function sample<T>(all: readonly T[], most: number, turn = 0): T[] {
  if (most >= all.length) return [...all]
  const first = (turn * 31) % all.length
  return Array.from(
    { length: most },
    (_, i) => all[(first + Math.floor((i * all.length) / most)) % all.length]!,
  )
}
