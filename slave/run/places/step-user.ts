// Running steps as another user: a root who runs tests of strangers lends them a body that can write neither the
// spool nor what is ours.

import { chmod, lchown, lstat, readdir } from 'node:fs/promises'

import { lasting, quote } from '../../../lib/base/exit.ts'
import { lookUpUser } from '../../../lib/system/user.ts'
import type { User } from '../../../lib/system/user.ts'

const known = new Map<string, User>()

/** Looks up the user of $STEP_USER; a Fatal if there is none, or if we are not root. */
export function findUser(name: string): User {
  const found = known.get(name)
  if (found) return found
  const attempt = `run steps as ${quote(name)}`
  if (process.getuid?.() !== 0) throw lasting(attempt, 'only root can, and this is not root')
  const user = lookUpUser(name)
  if (!user) throw lasting(attempt, 'there is no such user')
  if (user.uid === 0) throw lasting(attempt, 'that is root itself')
  known.set(name, user)
  return user
}

/** Returns the prefix of a command that runs as this user. */
export function become({ uid, gid, isBare }: User): string[] {
  const groups = isBare ? '--clear-groups' : '--init-groups'
  return ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, groups]
}

/**
 * Gives directories and all that is in them to the user, and to no other but us; `work` above them stays ours, and the user
 * may pass through it.
 */
export async function handOver(user: User, work: string, directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    await chmod(directory, 0o700)
    await give(user, Buffer.from(directory).toString('latin1'))
  }
  await chmod(work, 0o711)
}

/**
 * Gives a directory and all in it to the user. Files that the user owns already are left alone: a cache from an earlier job
 * may hold names of files of others. Hence a directory comes last, when all in it is given. Names are bytes, written here in
 * latin1.
 */
export async function give(user: User, directory: string): Promise<void> {
  const path = Buffer.from(directory, 'latin1')
  if ((await lstat(path)).uid === user.uid) return
  for (const entry of await readdir(path, { withFileTypes: true, encoding: 'buffer' })) {
    const inside = `${directory}/${entry.name.toString('latin1')}`
    if (entry.isDirectory()) await give(user, inside)
    else await lchown(Buffer.from(inside, 'latin1'), user.uid, user.gid)
  }
  await lchown(path, user.uid, user.gid)
}

/** Takes the way to those directories back, when the steps are over. */
export async function takeBack(work: string): Promise<void> {
  await chmod(work, 0o700)
}
