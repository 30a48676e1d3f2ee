// Changes that wait for a person: `held/PROJECT/REF/REVISION` is the event that approving one makes, by one rename.

import { dirname, join } from 'node:path'

import { isErrno } from '../base/errno.ts'
import { fsyncPath, move, readIfThere } from '../system/durable.ts'
import { noteChange } from '../system/polled.ts'
import { entriesIfThere, listAllIfThere, listIfThere } from '../system/listing.ts'
import { parseParams } from './event.ts'
import { makeDirectory } from './spool.ts'
import type { Spool } from './spool.ts'

export interface HeldChange {
  readonly project: string
  readonly number: number
  readonly title: string
  readonly author: string
  /** Its page on the forge; null where there is none. */
  readonly url: string | null
  readonly ref: string
  readonly revision: string
  /** The files it changes that decide what is run, if it comes from outside; null if none. */
  readonly touches: string | null
}

/** The changes that are held, by project and number. Throws where one of their directories cannot be listed. */
export function heldChanges(spool: Spool): HeldChange[] {
  const root = join(spool.root, 'held')
  if (!listAllIfThere(spool.root).includes('held')) return []
  return listIfThere(root)
    .flatMap(project => readHeld(join(root, project), project))
    .sort((a, b) => (a.project < b.project ? -1 : a.project > b.project ? 1 : a.number - b.number))
}

function readHeld(root: string, project: string, ref = ''): HeldChange[] {
  return entriesIfThere(join(root, ref)).flatMap(entry => {
    if (entry.isDirectory()) return readHeld(root, project, join(ref, entry.name))
    const params = parseParams(readIfThere(join(root, ref, entry.name)) ?? '')
    const number = Number(params['CHANGE'])
    if (!Number.isSafeInteger(number) || number <= 0) return []
    return {
      project,
      number,
      title: params['TITLE'] ?? '',
      author: params['AUTHOR'] ?? '',
      url: params['URL'] ?? null,
      ref,
      revision: entry.name,
      touches: params['TOUCHES'] ?? null,
    }
  })
}

/**
 * Lets this very head run: true if it was this call, and durable; false if it is not held any more, because somebody approved it, or
 * the change has moved on or was closed.
 */
export function approve(
  spool: Spool,
  change: Pick<HeldChange, 'project' | 'ref' | 'revision'>,
  tries = 5,
): boolean {
  const { project, ref, revision } = change
  const from = join(spool.root, 'held', project, ref, revision)
  const to = join(spool.revs, project, ref, revision)
  makeDirectory(dirname(to))
  try {
    if (!move(from, to)) return false
  } catch (error) {
    // Ours leaves directories that have become empty; a person, or another task-maker, may remove them.
    if (tries > 1 && isErrno(error, 'ENOENT')) return approve(spool, change, tries - 1)
    throw error
  }
  fsyncPath(dirname(to))
  fsyncPath(dirname(from))
  noteChange(dirname(to))
  return true
}
