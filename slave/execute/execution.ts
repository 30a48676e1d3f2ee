// One command in an executor, from its start to its result, whatever its client does.

import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants } from 'node:os'

import type { ServerDuplexStream } from '@grpc/grpc-js'

import { reasonOf } from '../../lib/base/errno.ts'
import { TIMER_MAX_MS } from '../../lib/base/timer.ts'
import { PATIENCE_MAX } from '../../lib/exec/protocol.ts'
import type {
  ClientMessage,
  ServerMessage,
  StartTaskRequest,
  TaskLog,
  TaskResult,
} from '../../lib/exec/protocol.ts'
import type { ProcessEnd } from '../../lib/spool/job-files.ts'
import type { Place, StepProcess } from '../run/places/place.ts'
import type { Pools } from '../run/places/pools.ts'
import { CommandInput } from './command-input.ts'
import { Outbox } from './outbox.ts'
import { ownEnvironment } from './own-environment.ts'
import { INVALID, OUT_OF_RANGE, Refusal } from './refusal.ts'
import { taskUser } from './task-user.ts'

export type Call = ServerDuplexStream<ClientMessage, ServerMessage>

/** The changes, as a result tells them. */
export type Changed = Pick<TaskResult, 'archive' | 'archiveBytes' | 'archiveSha256' | 'files' | 'deleted'>

export const NOTHING_CHANGED: Changed = {
  archive: '',
  archiveBytes: 0,
  archiveSha256: Buffer.alloc(0),
  files: 0,
  deleted: [],
}

export interface Surroundings {
  readonly place: Place
  readonly pools: Pools
  /** A directory of the executor's own. */
  readonly scratch: string
  /** Looks at what is there before the command, if nobody has. */
  readonly prepare: (request: StartTaskRequest) => Promise<void>
  /** Looks for what was changed, and warns of what may not be read, which is left out. */
  readonly collect: (request: StartTaskRequest, warn: (text: string) => void) => Promise<Changed>
}

/** From TERM to KILL when its time is up, and how long pipes are read that something holds open, in milliseconds. */
const [TERM_GRACE_MS, LAST_WORDS_MS] = [5000, 500]

/** More signals than this, before the command has begun, say nothing new. */
const EARLY_MAX = 100

export class Execution {
  readonly request: StartTaskRequest
  readonly #surroundings: Surroundings
  readonly #outbox: Outbox
  #readers: Socket[] = []
  readonly #input = new CommandInput(() => this.#pump())
  /** The number of the last signal that was taken. */
  #signals = 0
  /** How much of its input, and how many signals, the client knows to be taken. */
  #told = { input: 0, signals: 0 }
  #call: Call | undefined
  #blocked = false
  /** Words of the executor that are still to be sent. */
  readonly #logs: TaskLog[] = []
  #step: StepProcess | undefined
  #cancelled = false
  #timedOut = false
  #result: TaskResult | undefined
  #lost: NodeJS.Timeout | undefined
  /** Signals that came before the command had begun. */
  #early: NodeJS.Signals[] = []

  constructor(request: StartTaskRequest, surroundings: Surroundings) {
    this.request = request
    this.#surroundings = surroundings
    this.#outbox = new Outbox(() => this.#readers.forEach(reader => reader.resume()))
  }

  /** Runs it. Never fails: what went wrong is in the result. */
  async run(): Promise<void> {
    const started = Date.now()
    let told: Partial<TaskResult> = {}
    try {
      if (this.request.wantArchive) await this.#surroundings.prepare(this.request)
      if (this.request.command.length > 0) {
        const end = await this.#runCommand()
        told = 'signal' in end ? { signal: end.signal, exitCode: 0 } : { exitCode: end.code }
      }
      if (this.request.wantArchive) {
        const changed = await this.#surroundings.collect(this.request, text => this.#log('warning', text))
        const { files, archiveBytes, deleted } = changed
        this.#log('info', 'looked for changes', { files, bytes: archiveBytes, deleted: deleted.length })
        told = { ...told, ...changed }
      }
    } catch (error) {
      told = { ...told, error: reasonOf(error) }
    }
    this.#result = {
      error: '',
      exitCode: 0,
      signal: '',
      ...NOTHING_CHANGED,
      ...told,
      timedOut: this.#timedOut,
      started,
      ended: Date.now(),
    }
    this.#pump()
  }

  async #runCommand(): Promise<ProcessEnd> {
    const { place, pools, scratch } = this.#surroundings
    const { command, directory, environment, inherit, timeout, wantInput } = this.request
    const user = taskUser(this.request.user)
    const pipes = await pools.pipes.take(scratch)
    const input = wantInput ? await pools.pipes.take(scratch) : undefined
    const ends = pipes.map(pipe => pipe.open())
    const source = input?.[0].open()
    const [stdout, stderr] = ends.map(({ writer }) => writer) as [number, number]
    const env = { ...(inherit ? ownEnvironment() : {}), ...environment }
    const step = await place
      .start({
        command,
        directory,
        env,
        stdout,
        stderr,
        ...(user ? { user } : {}),
        ...(source ? { stdin: source.reader } : {}),
      })
      .catch((error: unknown) => {
        for (const end of [...ends, ...(source ? [source] : [])])
          for (const fd of Object.values(end)) closeSync(fd)
        throw error
      })
    this.#step = step
    this.#log('info', 'started', { name: this.request.name, directory })
    const read = ends.map(({ reader }, i) => this.#read(reader, i === 0 ? 1 : 2))
    if (source) this.#input.open(source.writer)
    for (const name of this.#early.splice(0)) step.signal(name)
    const timer =
      timeout > 0 ? setTimeout(() => this.#timeOut(step), Math.min(timeout, TIMER_MAX_MS)) : undefined
    if (this.#cancelled) step.end(0)
    const end = await step.ended.finally(() => clearTimeout(timer))
    await step.leave()
    this.#input.close()
    const drained = await this.#readRest(read)
    pools.pipes.give(pipes, drained)
    if (input) pools.pipes.give(input, false)
    return end
  }

  /** Reads one stream; resolves with true when every writer has closed it. */
  #read(fd: number, stream: 1 | 2): Promise<boolean> {
    const reader = new Socket({ fd, readable: true, writable: false })
    this.#readers.push(reader)
    return new Promise(done => {
      reader.on('data', (data: Buffer) => {
        if (this.request.wantOutput) this.#outbox.push(stream, data)
        if (this.#outbox.isFull) this.#readers.forEach(each => each.pause())
        this.#pump()
      })
      let ended = false
      reader.on('end', () => (ended = true))
      reader.on('error', () => undefined)
      reader.on('close', () => done(ended))
    })
  }

  /** Output of a command is read, however slow its client is; what holds a pipe open afterwards is not waited for. */
  async #readRest(read: readonly Promise<boolean>[]): Promise<boolean> {
    const timer = setInterval(() => {
      if (!this.#outbox.isFull) this.#readers.forEach(reader => reader.destroy())
    }, LAST_WORDS_MS)
    const drained = (await Promise.all(read).finally(() => clearInterval(timer))).every(Boolean)
    if (!drained)
      this.#log('warning', 'a process that it left still has its output open: that is not waited for')
    return drained
  }

  #timeOut(step: StepProcess): void {
    if (step.over) return
    this.#timedOut = true
    this.#log('info', 'its time is up', { milliseconds: this.request.timeout })
    step.end(TERM_GRACE_MS)
  }

  /** Says to this client what there is to say, from the offsets of a client that has come back. */
  attach(call: Call, offsets?: { readonly stdout: number; readonly stderr: number }): void {
    if (offsets && !this.#outbox.rewind(offsets.stdout, offsets.stderr))
      throw new Refusal(OUT_OF_RANGE, 'that output is gone')
    clearTimeout(this.#lost)
    this.#call = call
    // One that has come back is told what was taken, also if that is nothing: else it would not know that it is back.
    this.#told = offsets ? { input: -1, signals: -1 } : { input: 0, signals: 0 }
    this.#blocked = false
    call.on('cancelled', () => this.#detach(call))
    call.on('error', () => this.#detach(call))
    call.on('close', () => this.#detach(call))
    this.#pump()
  }

  #detach(call: Call): void {
    if (this.#call !== call) return
    this.#call = undefined
    if (this.#result) return
    const patience = Math.min(this.request.patience, PATIENCE_MAX)
    if (patience === 0) this.#cancel()
    else this.#lost = setTimeout(() => this.#cancel(), patience)
  }

  #pump(): void {
    const call = this.#call
    while (call && this.#call === call && !this.#blocked) {
      const next = this.#next()
      if (!next) return
      this.#send(call, next)
      if (!('result' in next)) continue
      this.#call = undefined
      endAfterClient(call)
    }
  }

  /** The result is the last. */
  #next(): ServerMessage | undefined {
    const log = this.#logs.shift()
    if (log) return { log }
    const taken = { input: this.#input.taken, signals: this.#signals }
    if (taken.input > this.#told.input || taken.signals > this.#told.signals)
      return { taken: (this.#told = taken) }
    const output = this.#outbox.next()
    if (output) return { output }
    return this.#result && { result: this.#result }
  }

  #log(level: 'info' | 'warning', message: string, attributes: Record<string, string | number> = {}): void {
    const texts = Object.entries(attributes).map(([name, value]) => [name, String(value)] as const)
    this.#logs.push({ time: Date.now(), level, message, attributes: Object.fromEntries(texts) })
    this.#pump()
  }

  #send(call: Call, message: ServerMessage): void {
    if (call.write(message)) return
    this.#blocked = true
    call.once('drain', () => {
      this.#blocked = false
      this.#pump()
    })
  }

  /** Handles a message of its client after the first one. Throws a Refusal if that makes no sense. */
  handle(message: ClientMessage): void {
    if ('acknowledge' in message) this.#outbox.arrived(message.acknowledge.stdout, message.acknowledge.stderr)
    else if ('cancel' in message) this.#cancel()
    else if ('signal' in message) this.#take(message.signal)
    else if ('input' in message) this.#input.take(message.input)
    else throw new Refusal(INVALID, 'only the first message is start or resume')
  }

  #take({ name, number }: { readonly name: string; readonly number: number }): void {
    if (number > 0 && number <= this.#signals) return
    this.#signal(`SIG${name}`)
    this.#signals = Math.max(this.#signals, number)
    this.#pump()
  }

  #signal(name: string): void {
    if (!(name in constants.signals)) throw new Refusal(INVALID, `there is no signal ${name}`)
    if (this.#step) this.#step.signal(name as NodeJS.Signals)
    else if (this.#early.length < EARLY_MAX) this.#early.push(name as NodeJS.Signals)
  }

  #cancel(): void {
    this.#cancelled = true
    this.#step?.end(0)
  }

  /** Kills it, for an executor that ends. */
  abort(): void {
    this.#cancel()
  }
}

/**
 * A client that still reads says so, and what it writes into a call that has ended fails that: all that it has not read yet
 * would be lost to it.
 */
function endAfterClient(call: Call): void {
  if (call.readableEnded) call.end()
  else call.once('end', () => call.end())
}
