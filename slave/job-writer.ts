// Writing into a job directory: patient, and fsynced once at the end. Between two steps, when nothing has to go on while
// a file server hangs, small files are written synchronously, which costs a tenth of doing it otherwise.

import { close, constants, fsync, mkdirSync, open, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'

import { move } from '../lib/durable.ts'
import { tolerating } from '../lib/errno.ts'
import { patiently } from './patience.ts'

/** As in node:fs/promises, on descriptors: a FileHandle costs more than an fsync of what is written already. */
const [openAsync, fsyncAsync, closeAsync] = [promisify(open), promisify(fsync), promisify(close)]

/** Writes a small file whose content nobody reads before it is complete: it appears under its name at once. */
export async function writeWhole(path: string, content: string, stop?: AbortSignal): Promise<void> {
  const hidden = join(dirname(path), `.${basename(path)}`)
  await patiently('write', path, () => writeFileSync(hidden, content), stop)
  await patiently('write', path, () => move(hidden, path), stop)
}

/** Writes a small file that need not appear at once. */
export async function writePlain(path: string, content: string, stop?: AbortSignal): Promise<void> {
  await patiently('write', path, () => writeFileSync(path, content), stop)
}

/**
 * Makes a directory, if it is not there, in one that is: a job that others have ended and moved away must not come into
 * being again, empty, for a second verdict.
 */
export async function makeDirectory(path: string, stop?: AbortSignal): Promise<void> {
  await patiently('make', path, () => tolerating(['EEXIST'], () => mkdirSync(path)), stop)
}

/** Fsyncs a file, or a directory: itself and not what is below it. */
export async function persist(path: string, stop?: AbortSignal): Promise<void> {
  // NOFOLLOW: what is not ours to fsync is not followed out of the job.
  const sync = async () => {
    const fd = await openAsync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      await fsyncAsync(fd)
    } finally {
      await closeAsync(fd)
    }
  }
  await patiently('fsync', path, sync, stop)
}

/** Fsyncs every file and directory below a directory, then that directory. */
export async function persistTree(directory: string, stop?: AbortSignal): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true })
  await Promise.all(
    entries.map(async entry => {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) await persistTree(path, stop)
      else if (entry.isFile()) await persist(path, stop)
    }),
  )
  await persist(directory, stop)
}
