// Stores the content of $BASS_ARTIFACTS in the job: regular files, directories, and symlinks that stay inside.
//
// The steps are not trusted. Nothing of theirs is opened by its path, but by its name in a directory that is held open: so
// no link is followed, whatever is exchanged meanwhile. An artifact never fails its job and takes no room that the job
// needs: what cannot be kept is left out, and the job says so. Names are bytes, written here in latin1.

import { constants, existsSync, lstatSync, opendirSync } from 'node:fs'
import type { Dirent, Stats } from 'node:fs'
import { mkdir, open, opendir, readlink, statfs, symlink, unlink } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { normalize } from 'node:path/posix'

import { reasonOf } from '../../lib/base/errno.ts'
import { quote } from '../../lib/base/exit.ts'
import { formatBytes } from '../../lib/base/text.ts'
import { warn } from '../../lib/system/log.ts'
import { start } from '../../lib/system/run.ts'

export interface ArtifactLimits {
  /** Bytes of all artifacts together, as a reader gets them: a hole counts as what it reads as. */
  readonly bytes: number
  /** How many files, directories and links. */
  readonly count: number
  /** Bytes that stay free in the spool: the logs and the verdict of this job and of others need them. */
  readonly free: number
  /** The only user whose files are artifacts, if that is not us. */
  readonly uid?: number
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants

/** A file whose holes have so many bytes is copied by cp, which does not read them. */
const SPARSE = 16 << 20
/** Bytes that are read at once. A chunk of nothing but zeros stays a hole. */
const COPY_BYTES = 1 << 18
const ZEROS = Buffer.alloc(COPY_BYTES)
/** Each level holds a descriptor. */
const DEEPEST = 100
/** Names that are read at once. */
const AT_ONCE = 512
/** So many of what was left out are named. */
const NAMED = 20

/**
 * Copies what is in `from` to `to`, which is made if there is anything; ends early when `stop` says so. Returns sentences
 * about what was left out. For when nothing of the steps lives any more.
 */
export async function keepArtifacts(
  from: string,
  to: string,
  limits: ArtifactLimits,
  stop: AbortSignal,
): Promise<string[]> {
  if (!holdsAny(from)) return []
  const keeper = new Keeper(to, limits, stop)
  await keeper.keepAll(from, to)
  return keeper.notes()
}

/** True of a directory with entries. Without a thread, for most jobs leave nothing. */
function holdsAny(path: string): boolean {
  try {
    if (!lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return false
    const directory = opendirSync(path)
    try {
      return directory.readSync() !== null
    } finally {
      directory.closeSync()
    }
  } catch (error) {
    warn('keep the artifacts', path, error)
    return false
  }
}

const bytes = (path: string) => Buffer.from(path, 'latin1')

/** A path that names an entry of an open directory, wherever that is now. Elsewhere than on Linux only the path does. */
const below = (directory: FileHandle, path: string) =>
  existsSync('/proc/self/fd') ? `/proc/self/fd/${directory.fd}` : path

/** A reason to leave something out. */
class LeftOut extends Error {}

class Keeper {
  readonly #target: string
  readonly #limits: ArtifactLimits
  readonly #stop: AbortSignal
  readonly #tooMany: string
  readonly #leftOut: string[] = []
  #omitted = 0
  #bytes = 0
  #count = 0

  constructor(target: string, limits: ArtifactLimits, stop: AbortSignal) {
    this.#target = target
    this.#limits = limits
    this.#tooMany = `ARTIFACTS_COUNT allows ${limits.count}`
    this.#stop = stop
  }

  async keepAll(from: string, to: string): Promise<void> {
    await this.#attempt('.', () => this.#directory(latin1(from), latin1(to), '', 0))
  }

  notes(): string[] {
    const more = this.#omitted - this.#leftOut.length
    return more > 0 ? [...this.#leftOut, `${more} more artifacts were left out`] : this.#leftOut
  }

  /** `name` is where it is below the artifacts. */
  async #attempt(name: string, action: () => Promise<void>): Promise<void> {
    try {
      await action()
    } catch (error) {
      this.#leaveOut(name, error instanceof LeftOut ? error.message : reasonOf(error))
    }
  }

  #leaveOut(name: string, why: string): void {
    this.#omitted++
    if (this.#leftOut.length < NAMED)
      this.#leftOut.push(`the artifact ${quote(bytes(name).toString())} was left out: ${why}`)
  }

  async #directory(source: string, target: string, name: string, depth: number): Promise<void> {
    if (depth > DEEPEST) throw new LeftOut('it is too deep')
    const directory = await open(bytes(source), O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
    try {
      this.#mustBeOurs((await directory.stat()).uid)
      await mkdir(bytes(target))
      const here = below(directory, source)
      const inside = (own: string) => (name === '' ? own : `${name}/${own}`)
      for (const entry of await this.#list(here, inside)) {
        if (this.#stop.aborted) return
        const path = inside(entry.name)
        const [from, to] = [`${here}/${entry.name}`, `${target}/${entry.name}`]
        await this.#attempt(path, async () => {
          if (this.#count >= this.#limits.count) throw new LeftOut(this.#tooMany)
          this.#count++
          if (entry.isDirectory()) await this.#directory(from, to, path, depth + 1)
          else if (entry.isFile()) await this.#file(from, to)
          else if (entry.isSymbolicLink()) await this.#link(from, to, path)
          else throw new LeftOut('it is neither a file nor a directory')
        })
      }
    } finally {
      await directory.close()
    }
  }

  /** Lists a directory, sorted, little more than may be kept: a step may have made millions. `inside` names an entry. */
  async #list(directory: string, inside: (own: string) => string): Promise<Dirent[]> {
    const room = Math.max(0, this.#limits.count - this.#count)
    const entries: Dirent[] = []
    const sort = () => entries.sort((a, b) => (a.name < b.name ? -1 : 1))
    const options = { encoding: 'latin1', bufferSize: AT_ONCE } as const
    for await (const entry of await opendir(bytes(directory), options)) {
      if (this.#stop.aborted) break
      entries.push(entry)
      if (entries.length < 2 * room + AT_ONCE) continue
      for (const { name } of sort().splice(room)) this.#leaveOut(inside(name), this.#tooMany)
    }
    return sort()
  }

  /** In what is another's, a step may have made names of files that it cannot read. */
  #mustBeOurs(uid: number): void {
    const { uid: wanted } = this.#limits
    if (wanted !== undefined && uid !== wanted) throw new LeftOut('it belongs to another user')
  }

  async #file(source: string, target: string): Promise<void> {
    // NONBLOCK: it may have become a named pipe since it was listed.
    const input = await open(bytes(source), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    try {
      const stats = await input.stat()
      if (!stats.isFile()) throw new LeftOut('it is no regular file')
      this.#mustBeOurs(stats.uid)
      const left = this.#limits.bytes - this.#bytes
      if (stats.size > left) {
        throw new LeftOut(`it has ${formatBytes(stats.size)}, and ARTIFACTS_MAX leaves ${formatBytes(left)}`)
      }
      await this.#mustFit(Math.min(stats.size, stats.blocks * 512))
      await this.#copy(input, stats, target)
      this.#bytes += stats.size
    } finally {
      await input.close()
    }
  }

  async #mustFit(size: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#target)
    if (bavail * bsize - size < this.#limits.free)
      throw new LeftOut(`the spool has no room for ${formatBytes(size)}`)
  }

  async #copy(input: FileHandle, { size, blocks, mode }: Stats, target: string): Promise<void> {
    const output = await open(bytes(target), 'wx', (mode & 0o777) | 0o600)
    let whole = false
    try {
      const isSparse = size - blocks * 512 >= SPARSE
      if (!isSparse || !(await copySparse(input, output, this.#stop))) await this.#pour(input, output, size)
      whole = true
    } finally {
      await output.close()
      if (!whole) await unlink(bytes(target))
    }
  }

  async #pour(input: FileHandle, output: FileHandle, size: number): Promise<void> {
    const buffer = Buffer.allocUnsafeSlow(Math.min(COPY_BYTES, Math.max(size, 1)))
    let at = 0
    while (at < size && !this.#stop.aborted) {
      const { bytesRead } = await input.read(buffer, 0, Math.min(buffer.length, size - at), at)
      if (bytesRead === 0) break
      const chunk = buffer.subarray(0, bytesRead)
      if (!chunk.equals(ZEROS.subarray(0, bytesRead))) {
        for (let done = 0; done < bytesRead;) {
          done += (await output.write(chunk, done, bytesRead - done, at + done)).bytesWritten
        }
      }
      at += bytesRead
    }
    // It ends with a hole, or has its place on the disk now: as all files of a job, see `create`.
    await output.truncate(at)
  }

  async #link(source: string, target: string, name: string): Promise<void> {
    const to = (await readlink(bytes(source), 'buffer')).toString('latin1')
    const inside = normalize(`${name}/../${to}`)
    if (to.startsWith('/') || inside === '..' || inside.startsWith('../'))
      throw new LeftOut('it is a link that leads outside')
    await symlink(bytes(to), bytes(target))
  }
}

/**
 * Copies without reading holes, which Node cannot skip; false where this system's cp cannot either. It is told the two
 * open files, so that no name is followed.
 */
async function copySparse(input: FileHandle, output: FileHandle, stop: AbortSignal): Promise<boolean> {
  if (!existsSync('/proc/self/fd')) return false
  const cp = start(['cp', '--sparse=always', '/proc/self/fd/3', '/proc/self/fd/4'], {
    stdio: ['ignore', 'ignore', 'ignore', input.fd, output.fd],
  })
  const end = () => cp.kill('SIGKILL')
  stop.addEventListener('abort', end)
  try {
    return await new Promise<boolean>(done => {
      cp.on('error', () => done(false)).on('exit', code => done(code === 0 || stop.aborted))
    })
  } finally {
    stop.removeEventListener('abort', end)
  }
}

const latin1 = (path: string) => Buffer.from(path).toString('latin1')
