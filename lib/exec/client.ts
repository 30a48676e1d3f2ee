// The client of an executor: puts files there, runs commands, fetches what they changed.

import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Client, ClientDuplexStream, ClientReadableStream, ClientWritableStream } from '@grpc/grpc-js'

import { temporary } from '../base/exit.ts'
import { CLIENT_OPTIONS, PIECE, SECRET, VERSION } from './protocol.ts'
import type { ClientMessage, FetchRequest, PutRequest, ServerMessage, StartTaskRequest } from './protocol.ts'
import { AGAIN, isConnectionLost, lossOf, RemoteExecution } from './remote-execution.ts'
import type { Sinks } from './remote-execution.ts'

/** How long a single wait for a connection is, in milliseconds. */
const SLICE = 1000

/** A request for an execution; what is left out is empty, false, or none. */
export type ExecutionRequest = Partial<Omit<StartTaskRequest, 'version' | 'id'>>

/** The methods that are made of the service. */
interface Methods extends Client {
  put(
    metadata: unknown,
    done: (error: Error | null, reply?: { readonly files: number }) => void,
  ): ClientWritableStream<PutRequest>
  execute(metadata: unknown): ClientDuplexStream<ClientMessage, ServerMessage>
  fetch(request: FetchRequest, metadata: unknown): ClientReadableStream<{ readonly data: Buffer }>
}

export class ExecutorClient {
  readonly #methods: Methods
  readonly #metadata: unknown
  readonly #running = new Set<RemoteExecution>()

  readonly #patience: number

  private constructor(methods: Methods, metadata: unknown, patience: number) {
    this.#methods = methods
    this.#metadata = metadata
    this.#patience = patience
  }

  /**
   * Connects to an executor (`unix:PATH`, `HOST:PORT`); fails with a Fatal if it does not answer in so many milliseconds, or
   * when `signal` aborts: else the wait would keep this process alive for that time. A connection that is lost later may be made
   * again for `patience` milliseconds; after that, what runs there is ended.
   */
  static async connect(
    address: string,
    secret: string,
    within: number,
    { patience = 0, signal }: { readonly patience?: number; readonly signal?: AbortSignal } = {},
  ): Promise<ExecutorClient> {
    const { loadProtocol } = await import('./libraries.ts')
    const { grpc, Executor } = loadProtocol()
    if (signal?.aborted) throw temporary('reach the executor', 'it has ended')
    const methods = new Executor(
      address,
      grpc.credentials.createInsecure(),
      CLIENT_OPTIONS,
    ) as unknown as Methods
    const metadata = new grpc.Metadata()
    metadata.set(SECRET, secret)
    const end = Date.now() + within
    // The library's timer goes on when its channel is closed: so none is long.
    const isReady = () =>
      new Promise<boolean>(done =>
        methods.waitForReady(Math.min(end, Date.now() + SLICE), error => done(!error)),
      )
    while (!(await isReady())) {
      if (!signal?.aborted && Date.now() < end) continue
      methods.close()
      throw temporary('reach the executor', `it did not answer for ${within / 1000} s`)
    }
    return new ExecutorClient(methods, metadata, patience)
  }

  /** Puts the files of a `.tar.s2` into a root, which is made, for this user there if one is named; returns how many. */
  async put(root: string, archive: AsyncIterable<Buffer>, user = ''): Promise<number> {
    const { call, replied } = this.#put()
    // It fails the call, and is met there.
    replied.catch(() => undefined)
    call.on('error', () => undefined)
    call.write({ root, user, data: Buffer.alloc(0) })
    for await (const bytes of archive) {
      for (let at = 0; at < bytes.length; at += PIECE) {
        if (call.write({ root: '', user: '', data: bytes.subarray(at, at + PIECE) })) continue
        await Promise.race([new Promise<void>(done => call.once('drain', done)), replied])
      }
    }
    call.end()
    return (await replied).files
  }

  #put() {
    let call!: ClientWritableStream<PutRequest>
    const replied = new Promise<{ readonly files: number }>((done, fail) => {
      call = this.#methods.put(this.#metadata, (error, reply) =>
        error ? fail(lossOf('put files there', error)) : done(reply!),
      )
    })
    return { call, replied }
  }

  /** Runs a command. */
  execute(wish: ExecutionRequest, sinks: Sinks = {}): RemoteExecution {
    const request = complete({ patience: this.#patience, ...wish })
    const execution = new RemoteExecution(() => this.#methods.execute(this.#metadata), request, sinks)
    this.#running.add(execution)
    const over = () => void this.#running.delete(execution)
    execution.result.then(over, over)
    return execution
  }

  /** The bytes of an archive, each once, also where the connection is lost meanwhile. */
  async *fetch(archive: string): AsyncGenerator<Buffer, void> {
    for (let [offset, lost] = [0, undefined as number | undefined]; ;) {
      const call = this.#methods.fetch({ archive, offset }, this.#metadata)
      try {
        for await (const { data } of call as AsyncIterable<{ readonly data: Buffer }>) {
          lost = undefined
          offset += data.length
          yield data
        }
        return
      } catch (error) {
        lost ??= performance.now()
        const isOver = performance.now() - lost >= this.#patience
        if (isOver || !isConnectionLost(error)) throw lossOf('fetch what was changed', error)
      } finally {
        call.cancel()
      }
      await sleep(AGAIN)
    }
  }

  /** Goes away: what still runs is waited for by nobody. */
  close(): void {
    for (const execution of this.#running) execution.abandon()
    this.#methods.close()
  }
}

const complete = (wish: ExecutionRequest): StartTaskRequest => ({
  version: VERSION,
  id: randomUUID(),
  name: '',
  command: [],
  directory: '/',
  environment: {},
  inherit: false,
  timeout: 0,
  contentRoot: '',
  outputRoots: [],
  wantOutput: true,
  wantArchive: false,
  wantInput: false,
  patience: 0,
  user: '',
  ...wish,
})
