// The client of an executor: puts files there, runs commands, fetches what they changed. A connection that is lost while a
// command runs is made again, and the output goes on where it stopped.

import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Client, ClientDuplexStream, ClientReadableStream, ClientWritableStream } from '@grpc/grpc-js'

import { reasonOf } from '../base/errno.ts'
import { lasting, temporary } from '../base/exit.ts'
import { KeptInput } from './kept-input.ts'
import { CLIENT_OPTIONS, PIECE, SECRET, VERSION } from './protocol.ts'
import type {
  ClientMessage,
  PutRequest,
  ServerMessage,
  StartTaskRequest,
  TaskLog,
  TaskResult,
} from './protocol.ts'

/** How often what has arrived is acknowledged, in bytes. */
const ACKNOWLEDGE = 1 << 20

/** How long a single wait for a connection is, in milliseconds. */
const SLICE = 1000

/** How long to wait between two attempts to connect again, in milliseconds. */
const AGAIN = 200

/** A request for an execution; what is left out is empty, false, or none. */
export type ExecutionRequest = Partial<Omit<StartTaskRequest, 'version' | 'id'>>

export interface Sinks {
  /** Takes the output of the command, in the order of each stream. The next piece comes when this has resolved. */
  readonly output?: (stream: 1 | 2, data: Buffer) => Promise<void> | void
  readonly log?: (log: TaskLog) => void
}

/** The methods that are made of the service. */
interface Methods extends Client {
  put(
    metadata: unknown,
    done: (error: Error | null, reply?: { readonly files: number }) => void,
  ): ClientWritableStream<PutRequest>
  execute(metadata: unknown): ClientDuplexStream<ClientMessage, ServerMessage>
  fetch(request: { archive: string }, metadata: unknown): ClientReadableStream<{ readonly data: Buffer }>
}

export class ExecutorClient {
  readonly #methods: Methods
  readonly #metadata: unknown
  readonly #running = new Set<RemoteExecution>()

  private constructor(methods: Methods, metadata: unknown) {
    this.#methods = methods
    this.#metadata = metadata
  }

  /**
   * Connects to an executor (`unix:PATH`, `HOST:PORT`); fails with a Fatal if it does not answer in so many milliseconds, or
   * when `signal` aborts: else the wait would keep this process alive for that time.
   */
  static async connect(
    address: string,
    secret: string,
    within: number,
    signal?: AbortSignal,
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
    return new ExecutorClient(methods, metadata)
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
        error ? fail(told('put files there', error)) : done(reply!),
      )
    })
    return { call, replied }
  }

  /** Runs a command. */
  execute(wish: ExecutionRequest, sinks: Sinks = {}): RemoteExecution {
    const execution = new RemoteExecution(() => this.#methods.execute(this.#metadata), complete(wish), sinks)
    this.#running.add(execution)
    const over = () => void this.#running.delete(execution)
    execution.result.then(over, over)
    return execution
  }

  /** The bytes of an archive. */
  async *fetch(archive: string): AsyncGenerator<Buffer, void> {
    const call = this.#methods.fetch({ archive }, this.#metadata)
    try {
      for await (const { data } of call as AsyncIterable<{ readonly data: Buffer }>) yield data
    } catch (error) {
      throw told('fetch what was changed', error)
    } finally {
      call.cancel()
    }
  }

  /** Goes away: what still runs is waited for by nobody. */
  close(): void {
    for (const execution of this.#running) execution.abandon()
    this.#methods.close()
  }
}

const complete = (wish: ExecutionRequest): StartTaskRequest => ({
  ...{
    version: VERSION,
    id: randomUUID(),
    name: '',
    command: [],
    directory: '/',
    environment: {},
    inherit: false,
  },
  ...{
    timeout: 0,
    contentRoot: '',
    outputRoots: [],
    wantOutput: true,
    wantArchive: false,
    wantInput: false,
    patience: 0,
    user: '',
  },
  ...wish,
})

/** An error of the server, in its own words; anything else is the connection's fault. */
function told(attempt: string, error: unknown) {
  const { code, details } = error as { readonly code?: number; readonly details?: string }
  // INVALID_ARGUMENT, PERMISSION_DENIED, FAILED_PRECONDITION, UNIMPLEMENTED, UNAUTHENTICATED
  if (code !== undefined && [3, 7, 9, 12, 16].includes(code)) return lasting(attempt, details)
  return temporary(attempt, details ?? reasonOf(error))
}

type Call = ClientDuplexStream<ClientMessage, ServerMessage>

/** A command that runs there. */
export class RemoteExecution {
  /** How it ended; fails with a Fatal if that is not known. */
  readonly result: Promise<TaskResult>
  readonly #open: () => Call
  readonly #request: StartTaskRequest
  readonly #sinks: Sinks
  #call: Call
  #arrived = { stdout: 0, stderr: 0 }
  #acknowledged = 0
  #abandoned = false
  #cancelled = false
  #isHeard = false
  readonly #input = new KeptInput(message => void this.#call.write(message))

  constructor(open: () => Call, request: StartTaskRequest, sinks: Sinks) {
    this.#open = open
    this.#request = request
    this.#sinks = sinks
    this.#call = this.#start({ start: request })
    this.result = this.#run().finally(() => this.#input.close())
    // It is awaited sooner or later.
    this.result.catch(() => undefined)
  }

  #start(first: ClientMessage): Call {
    const call = this.#open()
    call.on('error', () => undefined)
    call.write(first)
    return call
  }

  async #run(): Promise<TaskResult> {
    for (let lost: number | undefined; ;) {
      try {
        for await (const message of this.#call as AsyncIterable<ServerMessage>) {
          lost = undefined
          this.#isHeard = true
          const result = await this.#take(message)
          if (result) {
            this.#call.end()
            return result
          }
        }
        throw temporary('hear how it ended', 'the executor said nothing of it')
      } catch (error) {
        const { code } = error as { readonly code?: number }
        lost ??= performance.now()
        // NOT_FOUND: what was lost with the connection was the request itself.
        const isUnknown = code === 5 && !this.#isHeard
        // UNAVAILABLE, or a stream that was reset: it may be there still.
        const mayGoOn = isUnknown || code === 14 || code === 13
        if (this.#abandoned || !mayGoOn || performance.now() - lost >= this.#request.patience)
          throw told(`run ${this.#request.name || 'it'} there`, error)
        await sleep(AGAIN)
        this.#resume(isUnknown)
      }
    }
  }

  #resume(isUnknown: boolean): void {
    const { version, id } = this.#request
    this.#call = this.#start(
      isUnknown ? { start: this.#request } : { resume: { version, id, ...this.#arrived } },
    )
    this.#input.again()
    if (this.#cancelled) this.cancel()
  }

  async #take(message: ServerMessage): Promise<TaskResult | undefined> {
    if ('result' in message) return message.result
    if ('log' in message) this.#sinks.log?.(message.log)
    if ('taken' in message) this.#input.taken(message.taken.input)
    if ('output' in message) {
      const { stream, data } = message.output
      await this.#sinks.output?.(stream as 1 | 2, data)
      this.#arrived[stream === 1 ? 'stdout' : 'stderr'] += data.length
      const all = this.#arrived.stdout + this.#arrived.stderr
      if (all - this.#acknowledged >= ACKNOWLEDGE) {
        this.#acknowledged = all
        this.#call.write({ acknowledge: { ...this.#arrived } })
      }
    }
    return undefined
  }

  /** Gives the command input; false if there is enough of it for now. */
  input(data: Buffer): boolean {
    return this.#input.give(data)
  }

  /** Resolves when more input can be given, or none is wanted. */
  drained(): Promise<void> {
    return this.#input.drained()
  }

  endInput(): void {
    this.#input.end()
  }

  /** Sends a signal, by its name without SIG. One that is on its way when the connection is lost is lost, too. */
  signal(name: string): void {
    this.#call.write({ signal: { name } })
  }

  /** Ends the call without a word. */
  abandon(): void {
    this.#abandoned = true
    this.#call.cancel()
  }

  /** Kills it and all that it started. */
  cancel(): void {
    this.#cancelled = true
    this.#call.write({ cancel: {} })
  }
}
