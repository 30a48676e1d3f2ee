// The files of jobs in a spool. Any of them may be hostile: links that lead outside are not followed, and nothing but a
// regular file is opened.

import { readdir, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'

import { isErrno } from '../../../lib/base/errno.ts'
import type { Spool } from '../../../lib/spool/spool.ts'
import { bytePath, pathShownAs, shownName } from '../../../lib/system/byte-names.ts'
import { watch } from '../../../lib/system/watch.ts'
import type { Watch } from '../../../lib/system/watch.ts'
import { fileBytes } from '../../../lib/view/bytes.ts'
import type { Bytes } from '../../../lib/view/bytes.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import { whereIs } from '../../../lib/view/whereabouts.ts'
import type { Artifact, JobFiles } from './job-files.ts'
import { JOB, stepDirectory } from '../../../lib/spool/job-files.ts'

export class SpoolFiles implements JobFiles {
  readonly #spool: Spool

  constructor(spool: Spool) {
    this.#spool = spool
  }

  async open(view: TaskView, path: string): Promise<Bytes | undefined> {
    const job = this.#jobOf(view)
    if (job === undefined) return undefined
    const [, artifact] = /^artifacts\/([^]+)$/.exec(path) ?? []
    if (artifact === undefined) return openReadable(join(job, path))
    const real = await inside(job, artifact)
    return real === undefined ? undefined : openReadable(real)
  }

  async list(view: TaskView, path: string): Promise<readonly Artifact[] | undefined> {
    const job = this.#jobOf(view)
    return job === undefined ? undefined : listArtifacts(job, path)
  }

  async watch(view: TaskView, step: string): Promise<Watch> {
    const job = this.#jobOf(view)
    return watch(job === undefined ? [] : [stepDirectory(job, step)])
  }

  #jobOf({ name }: TaskView): string | undefined {
    return whereIs(this.#spool, name)?.jobAt
  }
}

async function listArtifacts(job: string, path: string): Promise<Artifact[] | undefined> {
  const directory = await inside(job, path)
  if (directory === undefined) return undefined
  try {
    const entries: Artifact[] = []
    for (const entry of await readdir(directory, { withFileTypes: true, encoding: 'buffer' })) {
      const name = shownName(entry.name)
      if (entry.isDirectory()) entries.push({ name, size: null })
      else if (entry.isFile()) entries.push({ name, size: await sizeOf(bytePath(directory, entry.name)) })
    }
    const rank = ({ size }: Artifact) => (size === null ? 0 : 1)
    return entries.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ESTALE', 'EACCES')) return undefined
    throw error
  }
}

/** A path below the artifacts as it really is; undefined if it is not there or leads elsewhere. */
async function inside(job: string, path: string): Promise<Buffer | undefined> {
  if (path.includes('\0')) return undefined
  try {
    const root = await realpath(join(job, JOB.artifacts))
    if (!root.startsWith((await realpath(job)) + sep)) return undefined
    const asked = path.split('/').reduce<string | Buffer>(pathShownAs, root)
    const real = await realpath(asked, 'buffer')
    const around = Buffer.from(root + sep)
    return Buffer.concat([real, Buffer.from(sep)])
      .subarray(0, around.length)
      .equals(around)
      ? real
      : undefined
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENAMETOOLONG', 'ESTALE')) return undefined
    throw error
  }
}

/** A file that the reporter may not read counts as missing. */
async function openReadable(path: string | Buffer): Promise<Bytes | undefined> {
  try {
    return await fileBytes(path)
  } catch (error) {
    if (isErrno(error, 'EACCES')) return undefined
    throw error
  }
}

async function sizeOf(path: Buffer): Promise<number> {
  const file = await openReadable(path)
  await file?.close()
  return file?.size ?? 0
}
