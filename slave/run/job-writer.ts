// Writing into a job directory: patient, and fsynced once at the end. Between two steps, when nothing has to go on while
// a file server hangs, small files are written synchronously, which costs a tenth of doing it otherwise. So are those that are
// written while a step runs, where there is no such server.

import { closeSync, constants, fstatSync, fsync, fsyncSync, mkdirSync, openSync, readdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'

import { breather } from '../../lib/system/breath.ts'
import { create, move, write } from '../../lib/system/durable.ts'
import { isLocal } from '../../lib/system/local.ts'
import { tolerating } from '../../lib/base/errno.ts'
import { patiently } from './patience.ts'
import type { Path } from '../../lib/base/brand.ts'
import { JOB } from '../../lib/spool/job-files.ts'

const fsyncAsync = promisify(fsync)

/** Opens a file of a job to be written. */
export async function openFile(path: string, stop?: AbortSignal): Promise<number> {
  return patiently('make', path, () => create(path), stop)
}

/** Writes a small file that appears under its name when it is complete. */
export async function writeWhole(path: string, content: string, stop?: AbortSignal): Promise<void> {
  const hidden = join(dirname(path), `.${basename(path)}`)
  await patiently('write', path, () => write(hidden, content), stop)
  await patiently('write', path, () => move(hidden, path), stop)
}

/** Writes a small file that need not appear at once. */
export async function writePlain(path: string, content: string, stop?: AbortSignal): Promise<void> {
  await patiently('write', path, () => write(path, content), stop)
}

/** Writes a small file of a job while a step may run, whose time must not stand still. */
export async function writeMeanwhile(
  job: Path,
  path: string,
  content: string,
  stop?: AbortSignal,
): Promise<void> {
  const act = () => (canHang(job) ? writeFile(path, content) : write(path, content))
  await patiently('write', path, act, stop)
}

const onServers = new Map<Path, boolean>()

/** True if a file server that does not answer can hold up who writes in this job. Asked once of the directory that holds it. */
export function canHang(job: Path): boolean {
  const holder = dirname(job)
  const known = onServers.get(holder)
  if (known !== undefined) return known
  const can = !isLocal(holder)
  onServers.set(holder, can)
  return can
}

/**
 * Makes a directory, if it is not there, in one that is: a job that others have ended and moved away must not come into
 * being again, empty, for a second verdict.
 */
export async function makeJobDirectory(path: string, stop?: AbortSignal): Promise<void> {
  await patiently('make', path, () => tolerating(['EEXIST'], () => mkdirSync(path)), stop)
}

/** Bytes of a file whose fsync a thread waits for, so that the process goes on meanwhile. */
const LARGE = 65_536

/** Fsyncs all that a slave has written in a job since its claim; not the job's own directory. */
export async function persistJob(job: Path, stop?: AbortSignal): Promise<void> {
  const breathe = breather()
  // All is listed, by bytes in latin1, before anything is fsynced: to read a directory sets its times, which would be one more commit.
  const paths: string[] = []
  const walk = async (directory: string) => {
    // Artifacts have the names that steps gave them.
    for (const entry of readdirSync(Buffer.from(directory, 'latin1'), {
      withFileTypes: true,
      encoding: 'buffer',
    })) {
      const path = `${directory}/${entry.name.toString('latin1')}`
      if (entry.isDirectory()) await walk(path)
      if (entry.isDirectory() || entry.isFile()) paths.push(path)
      await breathe()
    }
  }
  const top = Buffer.from(job).toString('latin1')
  await walk(top)
  // Its owner is durable since the claim, and its sign of life says nothing when it is over.
  const done = [JOB.owner, JOB.alive].map(name => `${top}/${name}`)
  for (const [i, path] of paths.filter(path => !done.includes(path)).entries()) {
    // With the first, the commit of the journal for all of them is waited for; then there is little to wait for.
    await patiently('fsync', path, () => fsyncFile(Buffer.from(path, 'latin1'), i === 0), stop)
    await breathe()
  }
}

/** Fsyncs a file, or a directory without what is below it; a link is not followed out of the job. */
async function fsyncFile(path: Buffer, mayTakeLong: boolean): Promise<void> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    if (mayTakeLong || fstatSync(fd).size > LARGE) await fsyncAsync(fd)
    else fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
