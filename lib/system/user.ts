// Users of this host, as the system's own tool knows them, wherever it has them from.

import { runSync } from './run.ts'

export interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
  /** The system may not know it: it has no group but that one. */
  readonly isBare?: boolean
}

/** The user of a name or number; undefined if there is none. Throws a Fatal if it cannot be asked for. */
export function lookUpUser(name: string): User | undefined {
  const [uid, gid] = ['-u', '-g'].map(what => runSync(['id', what, '--', name]))
  return uid!.code === 0 && gid!.code === 0
    ? { name, uid: Number(uid!.stdout), gid: Number(gid!.stdout) }
    : undefined
}
