// Errors of the system, by name. Node 20 does not name all that NFS and quotas can say: for those the code is
// "Unknown system error -116", so names are decided from the number. Pure.

import { getSystemErrorMap } from 'node:util'

/** Error numbers of Linux that Node 20 does not name (asm-generic/errno.h). */
const UNNAMED = new Map([
  [-35, ['EDEADLK', 'resource deadlock would occur']],
  [-116, ['ESTALE', 'stale file handle']],
  [-121, ['EREMOTEIO', 'remote I/O error']],
  [-122, ['EDQUOT', 'disk quota exceeded']],
] as const)

/** The errno name of an error (`ENOENT`, `ESTALE`), or undefined if it is not one of the system's. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const { errno, code } = error as NodeJS.ErrnoException
  return UNNAMED.get(errno as -35)?.[0] ?? (typeof code === 'string' ? code : undefined)
}

/** True if the error is one of the named ones. */
export function isErrno(error: unknown, ...names: string[]): boolean {
  const name = errnoOf(error)
  return name !== undefined && names.includes(name)
}

/**
 * Why it failed, in words and without the path: `no such file or directory`. `fetch` says no more than that it did: the
 * reason is in the error behind it, which may be one for each address of a name.
 */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.message === 'fetch failed' && error.cause instanceof Error) return reasonOf(error.cause)
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0])
  const { errno } = error as NodeJS.ErrnoException
  if (typeof errno !== 'number') return error.message
  return UNNAMED.get(errno as -35)?.[1] ?? getSystemErrorMap().get(errno)?.[1] ?? error.message
}

/** Runs `action`; returns undefined if it fails with one of the named errors. */
export function tolerating<T>(names: readonly string[], action: () => T): T | undefined {
  try {
    return action()
  } catch (error) {
    if (isErrno(error, ...names)) return undefined
    throw error
  }
}

/** Runs `action`; what it names being gone already is as good as done. */
export const ignoringENOENT = <T>(action: () => T): T | undefined => tolerating(['ENOENT'], action)
