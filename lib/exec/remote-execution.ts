// A command that an executor runs, as its client sees it. A connection that is lost meanwhile is made again, and the output
// goes on where it stopped.

import { setTimeout as sleep } from 'node:timers/promises'

import type { ClientDuplexStream } from '@grpc/grpc-js'

import { reasonOf } from '../base/errno.ts'
import { lasting, temporary } from '../base/exit.ts'
import type { Fatal } from '../base/exit.ts'
import { KeptInput } from './kept-input.ts'
import type { ClientMessage, ServerMessage, StartTaskRequest, TaskLog, TaskResult } from './protocol.ts'
import { briefLog, checkOutput, checkResult, Nonsense, SENTENCE_MAX } from './wary.ts'

/** How often what has arrived is acknowledged, in bytes. */
const ACKNOWLEDGE = 1 << 20

/** How long to wait between two attempts to connect again, in milliseconds. */
export const AGAIN = 200

/** How long one may take to end that is killed, in seconds; those in which nobody here takes what it says do not count. */
const END_SECONDS = 10

/** More words of an executor about one command than these are not listened to. */
const LOGS_MAX = 100

export interface Sinks {
  /** Takes the output of the command, in the order of each stream. The next piece comes when this has resolved. */
  readonly output?: (stream: 1 | 2, data: Buffer) => Promise<void> | void
  readonly log?: (log: TaskLog) => void
}

/** An error of the server, in its own words; anything else is the connection's fault. */
export function lossOf(attempt: string, error: unknown) {
  const { code, details } = brief(error as { readonly code?: number; readonly details?: string })
  // INVALID_ARGUMENT, PERMISSION_DENIED, FAILED_PRECONDITION, UNIMPLEMENTED, UNAUTHENTICATED
  if (code !== undefined && [3, 7, 9, 12, 16].includes(code)) return lasting(attempt, details)
  return temporary(attempt, details ?? reasonOf(error))
}

/** UNAVAILABLE, or a stream that was reset: what runs there may be there still. */
export const isConnectionLost = (error: unknown): boolean =>
  [13, 14].includes((error as { readonly code?: number }).code ?? 0)

const brief = ({ code, details }: { readonly code?: number; readonly details?: string }) => ({
  code,
  details: details?.slice(0, SENTENCE_MAX),
})

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
  /** Somebody here is taking a message. */
  #isBusy = false
  /** Why it was given up, if not by who asked for it. */
  #why: Fatal | undefined
  #ending: NodeJS.Timeout | undefined
  #logs = 0
  /** What the executor has not said to have taken. */
  #signals: { readonly name: string; readonly number: number }[] = []
  #signalled = 0
  readonly #input = new KeptInput(message => void this.#call.write(message))

  constructor(open: () => Call, request: StartTaskRequest, sinks: Sinks) {
    this.#open = open
    this.#request = request
    this.#sinks = sinks
    this.#call = this.#start({ start: request })
    this.result = this.#run().finally(() => {
      clearInterval(this.#ending)
      this.#input.close()
    })
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
          if (lost !== undefined) this.#say('the connection is back')
          lost = undefined
          this.#isHeard = true
          this.#isBusy = true
          const result = await this.#take(message).finally(() => (this.#isBusy = false))
          if (!result) continue
          this.#call.cancel()
          return result
        }
        throw temporary('hear how it ended', 'the executor said nothing of it')
      } catch (error) {
        const why = this.#why ?? (error instanceof Nonsense ? error : undefined)
        if (why) {
          this.#call.cancel()
          throw why
        }
        // NOT_FOUND: what was lost with the connection was the request itself.
        const isUnknown = (error as { readonly code?: number }).code === 5 && !this.#isHeard
        const mayGoOn = isUnknown || isConnectionLost(error)
        const { patience, name } = this.#request
        const now = performance.now()
        const attempt = `run ${name || 'it'} there`
        if (this.#abandoned || !mayGoOn || patience === 0) throw lossOf(attempt, error)
        if (lost !== undefined && now - lost >= patience)
          throw temporary(
            attempt,
            `the connection was lost, and could not be made again in ${patience / 1000} s`,
          )
        if (lost === undefined) this.#say('the connection is lost, and is made again')
        lost ??= now
        await sleep(AGAIN)
        this.#resume(isUnknown)
      }
    }
  }

  #say(message: string): void {
    this.#sinks.log?.({ time: Date.now(), level: 'warning', message, attributes: {} })
  }

  #resume(isUnknown: boolean): void {
    const { version, id } = this.#request
    this.#call = this.#start(
      isUnknown ? { start: this.#request } : { resume: { version, id, ...this.#arrived } },
    )
    this.#input.again()
    for (const signal of this.#signals) this.#call.write({ signal })
    if (this.#cancelled) this.cancel()
  }

  async #take(message: ServerMessage): Promise<TaskResult | undefined> {
    if ('result' in message) return checkResult(message.result)
    if ('log' in message && ++this.#logs <= LOGS_MAX) this.#sinks.log?.(briefLog(message.log))
    if ('taken' in message) {
      const { input, signals } = message.taken
      this.#input.taken(input)
      this.#signals = this.#signals.filter(({ number }) => number > signals)
    }
    if ('output' in message) {
      const { stream, data } = checkOutput(message.output, this.#arrived)
      await this.#sinks.output?.(stream, data)
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

  /** Sends a signal, by its name without SIG. */
  signal(name: string): void {
    const signal = { name, number: ++this.#signalled }
    this.#signals.push(signal)
    this.#call.write({ signal })
  }

  /** Ends the call without a word. */
  abandon(): void {
    this.#abandoned = true
    this.#call.cancel()
  }

  /** Kills it and all that it started. An executor that goes on all the same is given up. */
  cancel(): void {
    this.#cancelled = true
    this.#call.write({ cancel: {} })
    let seconds = 0
    this.#ending ??= setInterval(() => {
      if (this.#isBusy || ++seconds < END_SECONDS) return
      this.#why = temporary(
        `kill ${this.#request.name || 'it'} there`,
        'its executor does not say that it ended',
      )
      this.#call.cancel()
    }, 1000)
  }
}
