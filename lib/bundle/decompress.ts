// Decompresses a file, recognised by its first bytes and not by its name. Node knows gzip; zstd and xz are
// left to the programs of that name, but for small files of zstd, which most bundles are.

import { start } from '../system/run.ts'
import { once } from 'node:events'
import { constants, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'

import { BundleError } from './bundle-error.ts'
import { isS2, readS2 } from './s2.ts'
import { openIfThere } from '../system/durable.ts'
import { errnoOf, isErrno, reasonOf } from '../base/errno.ts'
import { quote } from '../base/exit.ts'
import { ZSTD_IN_PROCESS_BYTES, unzstd } from './zstd.ts'

/** Bytes of a file that is read at once: more than an archive has that was small enough not to be compressed. */
const PLAIN_SMALL = 1024 * 1024

/** Bytes read at a time. */
const INPUT_BYTES = 256 * 1024

/** Most characters of a program's complaint that are kept. */
const COMPLAINT_MAX = 1000

const GZIP = '1f8b'
/** How a file begins, in hex, and what reads it. pzstd begins with a frame to be skipped, of one of 16 kinds. */
const PROGRAMS: readonly [RegExp, string, readonly string[]][] = [
  [/^(28b52ffd|5.2a4d18)/, 'zstd', ['-dcq']],
  [/^fd377a585a00/, 'xz', ['-dcq', '--memlimit-decompress=512MiB']],
]

/**
 * The content of a file: of one that is compressed with gzip, zstd, xz or S2, what it was before; of any other, its bytes.
 * Throws BundleError for what is wrong with the file itself. What it started is gone when it ends or is returned from.
 */
export async function* decompress(path: string, signal?: AbortSignal): AsyncGenerator<Buffer, void> {
  const content = await readSmall(path)
  if (content) {
    yield content
    return
  }
  const file = await openFile(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(10), 0, 10, 0)
    const magic = buffer.toString('hex', 0, bytesRead)
    const program = PROGRAMS.find(([pattern]) => pattern.test(magic))
    if (program) yield* throughProgram(file, program[1], program[2], signal)
    else if (isS2(buffer.subarray(0, bytesRead))) yield* readS2(fileContent(file))
    else if (magic.startsWith(GZIP)) yield* gunzip(file)
    else yield* fileContent(file)
  } finally {
    await file.close()
  }
}

/** Reads a small plain tar, as most bundles are, at once: a thread of Node takes longer for each call. Undefined for any other file. */
async function readSmall(path: string): Promise<Buffer | undefined> {
  let file: Buffer | undefined
  try {
    file = openIfThere(path, (fd, { size }) => (size > PLAIN_SMALL ? undefined : readFileSync(fd)))
  } catch {
    // Whoever opens it next is told why.
  }
  if (!file) return undefined
  const magic = file.toString('hex', 0, 6)
  const isPlain = !magic.startsWith(GZIP) && !isS2(file) && !PROGRAMS.some(([pattern]) => pattern.test(magic))
  if (isPlain) return file
  return file.length > ZSTD_IN_PROCESS_BYTES ? undefined : unzstd(file)
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    // Without blocking: nobody may ever write into what turns out to be a FIFO.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    if ((await file.stat()).isFile()) return file
    await file.close()
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP', 'ENXIO'))
      throw new BundleError(reasonOf(error))
    throw error
  }
  throw new BundleError('not a regular file')
}

const fileContent = (file: FileHandle): AsyncIterable<Buffer> =>
  file.createReadStream({ start: 0, highWaterMark: INPUT_BYTES })

async function* gunzip(file: FileHandle): AsyncGenerator<Buffer, void> {
  const output = createGunzip({ chunkSize: INPUT_BYTES })
  // An error of either side destroys the other, so that it is met in reading `output`.
  pipeline(fileContent(file), output, () => undefined)
  try {
    yield* output as AsyncIterable<Buffer>
  } catch (error) {
    if (errnoOf(error)?.startsWith('Z_')) throw new BundleError(`damaged: gzip: ${reasonOf(error)}`)
    throw error
  }
}

async function* throughProgram(
  file: FileHandle,
  program: string,
  args: readonly string[],
  signal: AbortSignal | undefined,
): AsyncGenerator<Buffer, void> {
  const child = start([program, ...args], { stdio: [file.fd, 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' })
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  // It is met below, or of no interest because the reader has had enough.
  closed.catch(() => undefined)
  let complaint = ''
  child.stderr.on('data', (bytes: Buffer) => {
    complaint = (complaint + bytes.toString()).slice(0, COMPLAINT_MAX)
  })
  try {
    yield* child.stdout as AsyncIterable<Buffer>
    const [code, killer] = await closed
    if (code === 0) return
    const why = complaint.split('\n')[0] ?? ''
    throw new BundleError(`damaged: ${program} says ${quote(why || `exit ${killer ?? code ?? ''}`)}`)
  } catch (error) {
    // Its output ends early where it could not be started; the error of that says more.
    const why =
      error instanceof BundleError
        ? error
        : await closed.then(
            () => error,
            (first: unknown) => first,
          )
    // The kernel says EACCES also where one directory of PATH is closed to us and the program is in none.
    if (!isErrno(why, 'ENOENT', 'EACCES')) throw why
    throw new BundleError(`compressed with ${program}, and there is no such program here`)
  } finally {
    child.kill('SIGKILL')
    await closed.catch(() => undefined)
  }
}
