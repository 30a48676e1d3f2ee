// The user that a client asks a command to be run as, as this place knows it. An image may have no program to ask.

import { readFileSync } from 'node:fs'

import { ignoringENOENT } from '../../lib/base/errno.ts'
import { quote } from '../../lib/base/exit.ts'
import { findProgram } from '../../lib/system/program.ts'
import { lookUpUser } from '../../lib/system/user.ts'
import type { User } from '../../lib/system/user.ts'
import { INVALID, Refusal } from './refusal.ts'

/** The highest number of a user or group; the one above means "as it is". */
const ID_MAX = 2 ** 32 - 2

/** Reads `NAME`, `UID` or `UID:GID`; undefined for an empty text. Throws a Refusal if there is no such user, or we are not root. */
export function taskUser(text: string): User | undefined {
  if (text === '') return undefined
  if (process.getuid?.() !== 0) throw new Refusal(INVALID, `only root can run it as ${quote(text)}`)
  const [uid, gid] = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text)?.slice(1) ?? []
  if (uid !== undefined) {
    const user = { name: text, uid: Number(uid), gid: Number(gid ?? uid), isBare: true }
    if (user.uid <= ID_MAX && user.gid <= ID_MAX) return user
  }
  const user = inPasswd(text) ?? (findProgram('id') === undefined ? undefined : lookUpUser(text))
  if (!user) throw new Refusal(INVALID, `there is no user ${quote(text)}`)
  return user
}

function inPasswd(wanted: string): User | undefined {
  const lines = ignoringENOENT(() => readFileSync('/etc/passwd', 'utf8'))?.split('\n') ?? []
  for (const line of lines) {
    const [name, , uid, gid] = line.split(':')
    if (name === wanted && /^\d+$/.test(uid ?? '') && /^\d+$/.test(gid ?? ''))
      return { name, uid: Number(uid), gid: Number(gid), isBare: true }
  }
  return undefined
}
