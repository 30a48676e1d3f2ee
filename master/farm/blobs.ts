// Where the files of jobs are when they are over: in S3, or in a directory of the farmer's. Workers write with addresses that
// are signed for one file and a short time: they have no key, and what they write passes by the farmer where there is S3.

import { createHmac } from 'node:crypto'
import { createWriteStream, renameSync, rmSync } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

import { isErrno } from '../../lib/base/errno.ts'
import { isSameSecret } from '../../lib/base/same.ts'
import { lasting, temporary } from '../../lib/base/exit.ts'
import { optional, setting } from '../../lib/base/settings.ts'
import { makeDirectories, parentsOfMade } from '../../lib/system/directories.ts'
import { makeDirectory } from '../../lib/spool/spool.ts'
import { token } from '../../lib/system/durable.ts'
import { fileBytes } from '../../lib/view/bytes.ts'
import type { Bytes } from '../../lib/view/bytes.ts'

/** How long an address can be used, in seconds: a job's files are sent as soon as it is over, and asked for anew after. */
const EXPIRES = 900

export interface Blobs {
  /** An address to which this very file can be put, with PUT, for `EXPIRES` seconds. */
  addressFor(key: string, size: number): Promise<string>
  /** A file as it is there; undefined if it is not. */
  open(key: string): Promise<Bytes | undefined>
  /** Removes all files below a place, which ends with a slash. */
  remove(place: string): Promise<void>
}

/** Where the files of a job are kept, those of all its attempts. */
export const placeOf = (job: number): string => `jobs/${job}/`

/** Where one file of an attempt is kept. */
export const keyOf = (job: number, attempt: string, path: string): string =>
  `${placeOf(job)}${attempt}/${path}`

/** The store that the settings name. */
export async function openBlobs(directory: string, origin: string, secret: string): Promise<Blobs> {
  const bucket = optional('S3_BUCKET')
  return bucket === undefined ? new Files(join(directory, 'files'), origin, secret) : openS3(bucket)
}

/** Files in a directory; the farmer itself takes what is put. */
export class Files implements Blobs {
  readonly #root: string
  readonly #origin: string
  readonly #secret: string

  constructor(root: string, origin: string, secret: string) {
    this.#root = root
    this.#origin = origin
    this.#secret = secret
    makeDirectory(root)
  }

  addressFor(key: string, size: number): Promise<string> {
    const until = Math.floor(Date.now() / 1000) + EXPIRES
    const query = new URLSearchParams({ key, size: String(size), until: String(until) })
    query.set('sig', this.#sign(key, size, until))
    return Promise.resolve(`${this.#origin}/v1/files?${query.toString()}`)
  }

  #sign(key: string, size: number, until: number): string {
    return createHmac('sha256', this.#secret).update(`put\n${key}\n${size}\n${until}`).digest('hex')
  }

  /** The key and size that an address was signed for; undefined if it was not, or its time is over. */
  verify(query: URLSearchParams): { key: string; size: number } | undefined {
    const [key, size, until] = [query.get('key') ?? '', Number(query.get('size')), Number(query.get('until'))]
    if (!Number.isSafeInteger(size) || !(until * 1000 > Date.now())) return undefined
    return isSameSecret(query.get('sig') ?? '', this.#sign(key, size, until)) ? { key, size } : undefined
  }

  /** Stores what an address was signed for, durably; false if it is not of the size that was signed. */
  async put(key: string, size: number, body: Readable): Promise<boolean> {
    const path = join(this.#root, key)
    const directory = dirname(path)
    const first = makeDirectories(directory)
    if (first !== undefined)
      for (const parent of parentsOfMade(directory, first)) await fsyncDirectory(parent)
    const hidden = join(directory, `.new.${token()}`)
    let seen = 0
    try {
      await pipeline(
        body,
        async function* (chunks: AsyncIterable<Buffer>) {
          for await (const chunk of chunks) {
            seen += chunk.length
            if (seen > size) return
            yield chunk
          }
        },
        createWriteStream(hidden, { flush: true }),
      )
      if (seen !== size) return false
      renameSync(hidden, path)
      await fsyncDirectory(directory)
      return true
    } finally {
      rmSync(hidden, { force: true })
    }
  }

  remove(place: string): Promise<void> {
    return rm(join(this.#root, place), { recursive: true, force: true })
  }

  async open(key: string): Promise<Bytes | undefined> {
    try {
      return await fileBytes(join(this.#root, key))
    } catch (error) {
      if (isErrno(error, 'ENAMETOOLONG')) return undefined
      throw error
    }
  }
}

/** Here, where others wait for answers, not by a call that they would wait for. */
async function fsyncDirectory(path: string): Promise<void> {
  const directory = await open(path)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

async function openS3(bucket: string): Promise<Blobs> {
  const { S3mini, S3ServiceError } = await import('s3mini')
  const endpoint = setting('S3_ENDPOINT').replace(/\/+$/, '')
  if (!URL.canParse(endpoint)) throw lasting('read the setting S3_ENDPOINT', `'${endpoint}' is no address`)
  const client = new S3mini({
    accessKeyId: setting('AWS_ACCESS_KEY_ID'),
    secretAccessKey: setting('AWS_SECRET_ACCESS_KEY'),
    endpoint: `${endpoint}/${bucket}`,
    region: setting('AWS_REGION'),
  })
  const there = await client.bucketExists().catch((error: unknown) => {
    throw temporary(`use the bucket '${bucket}'`, error)
  })
  if (!there) throw lasting(`use the bucket '${bucket}'`, `there is none of that name at ${endpoint}`)
  return {
    addressFor: key => client.getPresignedUrl('PUT', key, EXPIRES),
    open: async key => {
      const size = await client.getContentLength(key).catch((error: unknown) => {
        const cause = error instanceof Error ? error.cause : undefined
        if (cause instanceof S3ServiceError && cause.status === 404) return undefined
        // A store that is away has said nothing of the file, not that it is empty.
        throw temporary(`open '${key}'`, error)
      })
      if (size === undefined) return undefined
      return {
        size,
        read: async (at, length) => {
          const end = Math.min(at + length, size)
          if (end <= at) return Buffer.alloc(0)
          const answer = await client.getObjectRaw(key, false, at, end)
          const bytes = Buffer.from(await answer.arrayBuffer())
          // A server that knows no ranges sends all of it.
          return answer.status === 206 ? bytes.subarray(0, end - at) : bytes.subarray(at, end)
        },
        close: () => Promise.resolve(),
      }
    },
    remove: async place => {
      // One by one: for many at once a store may want a digest that the client does not send.
      for (const { Key } of (await client.listObjects('/', place)) ?? []) {
        if (!(await client.deleteObject(Key))) throw temporary(`remove '${Key}'`, 'the store does not do it')
      }
    },
  }
}
