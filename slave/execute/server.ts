// The server of an executor: the calls of executor.proto, for whoever has the secret.

import { once } from 'node:events'
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

import type {
  sendUnaryData,
  Server,
  ServerCredentials,
  ServerReadableStream,
  ServerWritableStream,
  UntypedServiceImplementation,
} from '@grpc/grpc-js'

import { isSameSecret } from '../../lib/base/same.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { unpackStream } from '../../lib/bundle/bundle.ts'
import { readS2, writeS2 } from '../../lib/bundle/s2.ts'
import { changesOf, listBefore, listTree, toName } from '../../lib/exec/listing.ts'
import type { Listing } from '../../lib/exec/listing.ts'
import { itemsBelow, tarOf } from '../../lib/exec/pack.ts'
import { loadProtocol } from '../../lib/exec/libraries.ts'
import { CHANNEL_OPTIONS, PIECE, SECRET, speaks, VERSION } from '../../lib/exec/protocol.ts'
import type { ClientMessage, FetchRequest, PutRequest, StartTaskRequest } from '../../lib/exec/protocol.ts'
import type { Place } from '../run/places/place.ts'
import { give } from '../run/places/step-user.ts'
import { LeftOut } from '../run/places/left-out.ts'
import type { Pools } from '../run/places/pools.ts'
import { Execution, NOTHING_CHANGED } from './execution.ts'
import type { Call, Changed } from './execution.ts'
import { EXISTS, INVALID, NOT_FOUND, PRECONDITION, Refusal, refusalOf, UNAUTHENTICATED } from './refusal.ts'
import { taskUser } from './task-user.ts'

interface Own {
  readonly secret: string
  readonly place: Place
  readonly pools: Pools
  readonly scratch: string
}

/** Makes a server; whoever made it binds it, or gives it a connection. */
export function makeExecutorServer(own: Own): {
  readonly server: Server
  readonly credentials: ServerCredentials
  readonly close: () => Promise<void>
} {
  const { grpc, Executor } = loadProtocol()
  const server = new grpc.Server(CHANNEL_OPTIONS)
  const service = new Service(own)
  server.addService(Executor.service, service.calls)
  return {
    server,
    credentials: grpc.ServerCredentials.createInsecure(),
    close: async () => {
      service.abort()
      server.forceShutdown()
      await own.place.close()
    },
  }
}

class Service {
  readonly #own: Own
  readonly #executions = new Map<string, Execution>()
  /** The listing of each content root when it was filled. */
  readonly #before = new Map<string, Listing>()
  #archives = 0

  constructor(own: Own) {
    this.#own = own
  }

  readonly calls: UntypedServiceImplementation = {
    Put: (call: ServerReadableStream<PutRequest, unknown>, done: sendUnaryData<{ files: number }>) => {
      this.#put(call).then(
        files => done(null, { files }),
        (error: unknown) => done(refusalOf(error)),
      )
    },
    Execute: (call: Call) => this.#execute(call),
    Fetch: (call: ServerWritableStream<FetchRequest, { data: Buffer }>) => {
      this.#fetch(call).catch((error: unknown) => call.cancelled || call.emit('error', refusalOf(error)))
    },
  }

  abort(): void {
    for (const execution of this.#executions.values()) execution.abort()
  }

  #admit({ metadata }: { readonly metadata: { get(key: string): readonly unknown[] } }): void {
    const given = metadata.get(SECRET)[0]
    if (typeof given !== 'string' || !isSameSecret(given, this.#own.secret))
      throw new Refusal(UNAUTHENTICATED, 'the secret is not that of this execution')
  }

  async #put(call: ServerReadableStream<PutRequest, unknown>): Promise<number> {
    this.#admit(call)
    const messages = call[Symbol.asyncIterator]() as AsyncIterator<PutRequest>
    const first = await messages.next()
    const { root, user: name } = first.done ? { root: '', user: '' } : first.value
    if (!root.startsWith('/'))
      throw new Refusal(INVALID, 'the first message must name a root, an absolute path')
    const data = async function* () {
      for (let next = await messages.next(); !next.done; next = await messages.next()) yield next.value.data
    }
    const user = taskUser(name)
    if (existsSync(root) && readdirSync(root).length > 0)
      throw new Refusal(EXISTS, `there are files in ${root}`)
    makeDirectories(root)
    // Whoever may run any command here may fill the disk.
    await unpackStream(readS2(data()), root, { maxBytes: Infinity })
    if (user) await give(user, toName(root))
    const listing = await listBefore(root)
    this.#before.set(root, listing)
    return [...listing.values()].filter(({ kind }) => kind === 'file').length
  }

  #execute(call: Call): void {
    let execution: Execution | undefined
    call.on('data', (message: ClientMessage) => {
      try {
        if (execution) execution.handle(message)
        else {
          this.#admit(call)
          execution = 'resume' in message ? this.#resume(call, message.resume) : this.#start(call, message)
        }
      } catch (error) {
        call.emit('error', refusalOf(error))
      }
    })
    call.on('error', () => undefined)
  }

  #resume(
    call: Call,
    { version, id, stdout, stderr }: { version: string; id: string; stdout: number; stderr: number },
  ) {
    checkVersion(version)
    const execution = this.#executions.get(id)
    if (!execution) throw new Refusal(NOT_FOUND, `there is no execution ${id}`)
    execution.attach(call, { stdout, stderr })
    return execution
  }

  #start(call: Call, message: object): Execution {
    const { start } = message as { readonly start?: StartTaskRequest }
    if (!start) throw new Refusal(INVALID, 'the first message must be start or resume')
    checkVersion(start.version)
    if (this.#executions.has(start.id)) throw new Refusal(EXISTS, `there is an execution ${start.id}`)
    const execution = new Execution(start, {
      ...this.#own,
      prepare: request => this.#prepare(request),
      collect: (request, warn) => this.#collect(request, warn),
    })
    this.#executions.set(start.id, execution)
    execution.attach(call)
    void execution.run()
    return execution
  }

  async #prepare({ contentRoot }: StartTaskRequest): Promise<void> {
    if (!this.#before.has(contentRoot)) this.#before.set(contentRoot, await listBefore(contentRoot))
  }

  async #collect(
    { contentRoot, outputRoots }: StartTaskRequest,
    warn: (text: string) => void,
  ): Promise<Changed> {
    const leftOut = new LeftOut(warn)
    const before = this.#before.get(contentRoot)!
    const roots = outputRoots.map(root => toName(root))
    const isWanted = (name: string) =>
      roots.length === 0 || roots.some(root => name === root || name.startsWith(`${root}/`))
    const unreadable: string[] = []
    const after = await listTree(contentRoot, (name, error) => {
      unreadable.push(name)
      if (isWanted(name)) leftOut.add(name, error)
    })
    // Nobody knows what is there.
    const isHidden = (name: string) => unreadable.some(path => name === path || name.startsWith(`${path}/`))
    const changes = changesOf(contentRoot, before, after).filter(({ name }) => isWanted(name))
    const there = changes.filter(({ what }) => what !== 'deleted')
    const deleted = changes
      .filter(({ name, what }) => what === 'deleted' && !isHidden(name))
      .map(({ name }) => Buffer.from(name, 'latin1'))
    if (there.length === 0) return { ...NOTHING_CHANGED, deleted }
    const path = join(this.#own.scratch, `${++this.#archives}.tar.s2`)
    const hash = createHash('sha256')
    let [archiveBytes, files] = [0, there.length]
    const items = itemsBelow(
      toName(contentRoot),
      there.map(({ name }) => name),
    )
    const tar = tarOf(items, (name, error) => {
      files--
      leftOut.add(name, error)
    })
    await pipeline(
      writeS2(tar),
      async function* (source: AsyncIterable<Buffer>) {
        for await (const bytes of source) {
          hash.update(bytes)
          archiveBytes += bytes.length
          yield bytes
        }
      },
      createWriteStream(path, { mode: 0o600 }),
    )
    leftOut.end()
    return { archive: path, archiveBytes, archiveSha256: hash.digest(), files, deleted }
  }

  async #fetch(call: ServerWritableStream<FetchRequest, { data: Buffer }>): Promise<void> {
    this.#admit(call)
    const { archive, offset } = call.request
    const isOurs = Array.from({ length: this.#archives }, (_, i) =>
      join(this.#own.scratch, `${i + 1}.tar.s2`),
    ).includes(archive)
    if (!isOurs) throw new Refusal(NOT_FOUND, 'there is no such archive')
    // A client that goes away takes nothing more, and never says so.
    const gone = new AbortController()
    call.once('cancelled', () => gone.abort())
    const { signal } = gone
    const bytes = createReadStream(archive, { start: offset, highWaterMark: PIECE, signal })
    for await (const data of bytes as AsyncIterable<Buffer>) {
      if (!call.write({ data })) await once(call, 'drain', { signal })
    }
    call.end()
  }
}

function checkVersion(version: string): void {
  if (speaks(version)) return
  throw new Refusal(
    PRECONDITION,
    `this executor speaks version ${VERSION} of the protocol, not ${version || 'none'}`,
  )
}
