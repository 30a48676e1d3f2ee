// What the steps left in $BASS_ARTIFACTS goes into the job: regular files, directories, and symlinks that stay inside.
// The steps are not trusted: no link is followed, and what cannot be read is left out and said.

import { constants, lstatSync } from 'node:fs'
import { open, readdir, readlink, symlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname, isAbsolute, join, relative, resolve } from 'node:path'

import { listAllIfThere } from '../../lib/system/listing.ts'
import { Fatal } from '../../lib/base/exit.ts'
import { warn } from '../../lib/system/log.ts'
import { makeDirectory } from './job-writer.ts'
import { patiently } from './patience.ts'

const CHUNK = 1 << 20

/** Copies what is in `from` to `to`, which is made if there is anything; ends early when `stop` says so. */
export async function keepArtifacts(from: string, to: string, stop: AbortSignal): Promise<void> {
  if (holdsAny(from)) await copyDirectory(from, to, from, stop)
}

/** True of a directory with entries. Without a thread, for most jobs leave nothing. */
function holdsAny(path: string): boolean {
  try {
    return (
      lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true && listAllIfThere(path).length > 0
    )
  } catch (error) {
    warn('keep the artifacts', path, error)
    return false
  }
}

async function copyDirectory(from: string, to: string, root: string, stop: AbortSignal): Promise<void> {
  await makeDirectory(to, stop)
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (stop.aborted) return
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    try {
      if (entry.isDirectory()) await copyDirectory(source, target, root, stop)
      else if (entry.isFile()) await copyFile(source, target, stop)
      else if (entry.isSymbolicLink()) await copyLink(source, target, root)
      else warn('keep the artifact', source, 'neither a file nor a directory')
    } catch (error) {
      // What went wrong in the job is not the artifact's fault.
      if (error instanceof Fatal) throw error
      warn('keep the artifact', source, error)
    }
  }
}

async function copyFile(source: string, target: string, stop: AbortSignal): Promise<void> {
  // NONBLOCK: it may have become a named pipe since it was listed.
  const input = await open(source, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  try {
    const stats = await input.stat()
    if (!stats.isFile()) throw new Error('not a regular file')
    const output = await patiently(
      'write',
      target,
      () => open(target, 'w', (stats.mode & 0o777) | 0o600),
      stop,
    )
    try {
      // As all files of a job, see `create`.
      await output.truncate()
      await pour(input, output, target, stop)
    } finally {
      await output.close()
    }
  } finally {
    await input.close()
  }
}

async function pour(input: FileHandle, output: FileHandle, target: string, stop: AbortSignal): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(CHUNK)
  while (!stop.aborted) {
    const { bytesRead } = await input.read(buffer, 0, CHUNK, null)
    if (bytesRead === 0) return
    for (let at = 0; at < bytesRead;) {
      const rest = () => output.write(buffer, at, bytesRead - at, null)
      at += (await patiently('write', target, rest, stop)).bytesWritten
    }
  }
}

async function copyLink(source: string, target: string, root: string): Promise<void> {
  const to = await readlink(source)
  const inside = relative(root, resolve(dirname(source), to))
  if (isAbsolute(to) || inside === '..' || inside.startsWith('../')) {
    warn('keep the artifact', source, 'a link that leads outside')
  } else await symlink(to, target)
}
