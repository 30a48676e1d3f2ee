// One program of a kind works in a directory.

import { rmdirSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

import { lock } from 'proper-lockfile'

import { ignoringENOENT, isErrno } from '../../../lib/base/errno.ts'
import { lasting, quote, temporary } from '../../../lib/base/exit.ts'
import type { Fatal } from '../../../lib/base/exit.ts'
import { readIfThere, replaceFile } from '../../../lib/system/durable.ts'
import { isGone, self } from '../../../lib/system/process.ts'
import type { Identity } from '../../../lib/system/process.ts'

/**
 * A lock that was not renewed for this long, in milliseconds, belongs to a program that is gone; it is renewed each `UPDATE`.
 * Whoever starts waits longer than the first.
 */
const STALE = 5000
const UPDATE = 1000
const RETRIES = { retries: 14, minTimeout: 500, maxTimeout: 500 }

/**
 * Takes a directory; returns a function that lets the next one in. `what` names the program. `lost` is called where another
 * took this one for dead; then that function throws a Fatal that says so. Throws Fatal if it is taken.
 */
export async function takeLock(
  directory: string,
  what: string,
  lost: () => void,
): Promise<() => Promise<void>> {
  let why: Fatal | undefined
  const onCompromised = (error: Error) => {
    why = lasting(`go on in ${quote(directory)}`, error)
    lost()
  }
  if (isOwnerGone(directory)) ignoringENOENT(() => rmdirSync(`${directory}.lock`))
  let unlock: () => Promise<void>
  try {
    unlock = await lock(directory, {
      realpath: false,
      stale: STALE,
      update: UPDATE,
      onCompromised,
      retries: RETRIES,
    })
  } catch (error) {
    throw temporary(`use ${quote(directory)}`, isErrno(error, 'ELOCKED') ? `another ${what} uses it` : error)
  }
  replaceFile(ownerOf(directory), JSON.stringify({ host: hostname(), ...self() } satisfies Owner))
  return async () => {
    // There is nothing left to let anybody into.
    if (why) throw why
    await unlock()
  }
}

interface Owner extends Identity {
  readonly host: string
}

const ownerOf = (directory: string) => join(directory, 'owner.json')

/** True if who locked the directory last was of this host, and is certainly gone: then its lock need not become stale. */
function isOwnerGone(directory: string): boolean {
  try {
    const owner = JSON.parse(readIfThere(ownerOf(directory)) ?? '') as Owner
    return owner.host === hostname() && isGone(owner)
  } catch {
    return false
  }
}
