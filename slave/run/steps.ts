// The steps of a bundle: the executable regular files directly in its directory, in the order of their bytes.

import { lstatSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { IMAGE_NAME } from '../../lib/base/elsewhere.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import { ignoringENOENT, tolerating } from '../../lib/base/errno.ts'
import { lasting, quote } from '../../lib/base/exit.ts'

export interface Step {
  readonly name: string
  readonly path: string
  /** It runs even after a failure, a timeout or a cancel. */
  readonly always: boolean
}

/** The name under which $PREPARE is logged. */
export const PREPARE = 'PREPARE'

/** The steps in a directory, none if it is not there; and the first file that seems to be meant as one. */
export interface StepsFound {
  readonly steps: readonly Step[]
  /**
   * What looks like a step and cannot be run: a regular file directly in the directory that lacks its execute bit, or a link to
   * nothing, that is not marked as none by its name, `_NAME`, `.NAME`, `NAME.md` or `image`.
   */
  readonly near: { readonly name: string; readonly fault: string } | undefined
}

/** Looks through a directory of steps. A Fatal if there is what may be one, and cannot be called. */
export function findSteps(directory: string): StepsFound {
  const names = listIfThere(directory)
  // Node shows what is not UTF-8 as U+FFFD, and cannot find it by that name.
  const odd = names.find(name => name.includes('\ufffd'))
  if (odd !== undefined) throw lasting(`run the step ${quote(odd)}`, 'its name is not UTF-8')
  const executable: string[] = []
  let near: StepsFound['near']
  for (const name of names) {
    const path = join(directory, name)
    const stats = ignoringENOENT(() => lstatSync(path))
    if (stats?.isFile() && (stats.mode & 0o111) !== 0) executable.push(name)
    else if (isMarked(name)) continue
    else if (stats?.isFile())
      near ??= {
        name,
        fault: `is not executable: make it so (chmod +x), or name it '_${name}' if it is no step`,
      }
    else if (stats?.isSymbolicLink() && leadsNowhere(path)) near ??= { name, fault: 'is a link to nothing' }
  }
  const steps = executable
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(name => ({ name, path: join(directory, name), always: name.endsWith('.always') }))
  return { steps, near }
}

const leadsNowhere = (link: string): boolean =>
  tolerating(['ENOENT', 'ENOTDIR', 'ELOOP'], () => statSync(link)) === undefined

/** True for the name of a file that is no step, and says so; what begins with a dot is not listed. */
const isMarked = (name: string): boolean =>
  name === IMAGE_NAME || name.startsWith('_') || name.endsWith('.md')
