// The instants of a run: at each of its file operations, each way in which it can end there. Pure.

import type { Operation } from '../fixtures/fault.ts'

export interface Instant {
  /** `K:ACTION`, as the preload takes it. */
  readonly fault: string
  /** A second one, for what runs in the recovery that follows. */
  readonly again?: string
  /** It is the whole machine that stops, and the disk keeps only what was fsynced. */
  readonly powerCut?: true
  /** What the K-th operation is. */
  readonly operation: Operation
}

/** Errors that a file system may give at any time, and what else it says to each operation. */
const ERRORS = ['ENOSPC', 'EIO', 'EDQUOT', 'ESTALE']
const MORE_ERRORS: Record<string, string[]> = { open: ['EMFILE'] }

/** Done, and yet reported as failed: what a network file system says when it hears the question a second time. */
const LIES: Record<string, string[]> = {
  rename: ['done-ENOENT', 'done-EIO'],
  link: ['done-EEXIST', 'done-EIO'],
  mkdir: ['done-EEXIST', 'done-EIO'],
  unlink: ['done-ENOENT'],
  rmdir: ['done-ENOENT'],
}

/** SIGKILL before each operation and after it. */
export function crashes(operations: readonly Operation[]): Instant[] {
  return operations.flatMap(operation => at(operation, ['kill', 'kill-after']))
}

/** Every error of each operation, and every lie about it. */
export function errors(operations: readonly Operation[]): Instant[] {
  return operations.flatMap(operation =>
    at(operation, [...ERRORS, ...(MORE_ERRORS[operation.kind] ?? []), ...(LIES[operation.kind] ?? [])]),
  )
}

function at(operation: Operation, actions: readonly string[]): Instant[] {
  return actions.map(action => ({ fault: `${operation.k}:${action}`, operation }))
}

/** A power cut before each operation of whatever process. */
export function powerCuts(operations: readonly Operation[]): Instant[] {
  return operations
    .flatMap(operation => at(operation, ['kill']))
    .map(instant => ({ ...instant, powerCut: true }))
}

/** Pairs, `most` at most: a crash, and a second one in the recovery that follows. */
export function doubleCrashes(operations: readonly Operation[], most: number): Instant[] {
  const all = crashes(operations)
  // Strides that share no factor with the number of instants: each pair is another one.
  return Array.from({ length: Math.min(most, all.length) }, (_, i) => ({
    ...all[(i * 7919) % all.length]!,
    again: all[(i * 104_729 + i * i) % all.length]!.fault,
  }))
}

/** About `most` of them, evenly spread. */
export function sample<T>(all: readonly T[], most: number): T[] {
  if (most >= all.length) return [...all]
  return Array.from({ length: most }, (_, i) => all[Math.floor((i * all.length) / most)]!)
}
