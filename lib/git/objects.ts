// Looks objects up in one running `git cat-file --batch`. Returns come in the order of the questions, and each object goes
// to its reader as it arrives: whatever its size, it costs time in proportion and memory as its reader decides.

import type { ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'

import { ended, GitError, sentence } from './process.ts'

export interface ObjectHeader {
  readonly id: string
  readonly type: string
  /** Bytes of its body. */
  readonly size: number
}

export interface GitObject extends ObjectHeader {
  /** The body, or its first bytes where the question wanted no more. */
  readonly body: Buffer
}

/** Takes an object as it arrives. */
export interface ObjectReader {
  /** Git is not read on before a promise is resolved, of this and of `take`. */
  begin(header: ObjectHeader): void | Promise<void>
  /** Takes the next bytes of the body. */
  take(bytes: Buffer): void | Promise<void>
}

interface Question {
  readonly name: string
  readonly reader: ObjectReader
  readonly resolve: (found: boolean) => void
  readonly reject: (error: unknown) => void
}

/** The line in front of an object; in any other, git says that there is none. */
const HEADER = /^([0-9a-f]{40,64}) (\w+) (\d+)$/

export class Objects {
  readonly #start: () => ChildProcess
  #child: ChildProcess | undefined
  #waiting: Question[] = []
  /** The beginning of a line that is not complete yet. */
  #line = ''
  /** Bytes of the first question's object that are still to come, the line feed behind it included; 0 between objects. */
  #left = 0
  /** True while a reader works on what it was given. */
  #busy = false
  /** Bytes that arrived meanwhile: Node resumes a paused pipe when its process ends, and reads it to its end. */
  #backlog: Buffer[] = []
  /** The end of the process, where that came while a reader was busy. */
  #death: (() => void) | undefined
  /** Why the reader of the first question does not want more of it. */
  #refused: { readonly error: unknown } | undefined
  #closed = false
  /** True once this process of git has answered anything. */
  #answers = false
  /** True if the process before it answered nothing. */
  #failed = false

  /** `start` starts `git cat-file --batch` with pipes. */
  constructor(start: () => ChildProcess) {
    this.#start = start
  }

  /** True once it has answered anything. */
  get answered(): boolean {
    return this.#answers
  }

  /** An object by its name, of bytes as in latin1, with at most `keep` bytes of its body; undefined if there is none. */
  async look(name: string, keep: number): Promise<GitObject | undefined> {
    let header: ObjectHeader | undefined
    let body = Buffer.alloc(0)
    let filled = 0
    const found = await this.read(name, {
      begin: begun => {
        header = begun
        body = Buffer.allocUnsafeSlow(Math.min(begun.size, keep))
      },
      take: bytes => {
        filled += bytes.copy(body, filled)
      },
    })
    return found ? { ...header!, body } : undefined
  }

  /** Hands an object to a reader; false if there is none. Rejects with what the reader throws. */
  read(name: string, reader: ObjectReader): Promise<boolean> {
    // One line is one question.
    if (/[\n\0]/.test(name)) return Promise.resolve(false)
    return new Promise((resolve, reject) => this.#ask({ name, reader, resolve, reject }))
  }

  /** Starts the process before there is a question. */
  start(): void {
    this.#child ??= this.#open()
  }

  /** Ends the process as soon as it has answered what was asked. */
  close(): void {
    this.#closed = true
    this.#child?.stdin?.end()
  }

  #ask(question: Question): void {
    this.#waiting.push(question)
    this.start()
    const stdin = this.#child?.stdin
    // Where no process could be made there are no pipes either; the error is on its way.
    if (!stdin) return
    if (stdin.writableCorked === 0) {
      // The questions of one turn of the event loop are one write.
      stdin.cork()
      process.nextTick(() => stdin.uncork())
    }
    stdin.write(question.name + '\n', 'latin1')
  }

  #open(): ChildProcess {
    const child = this.#start()
    this.#answers = false
    child.stdin?.on('error', () => undefined)
    const { stdout } = child
    stdout?.on('data', (chunk: Buffer) => this.#arrived(child, stdout, chunk))
    ended(child).then(
      end => this.#died(child, new GitError(sentence(end))),
      (error: unknown) => this.#died(child, error),
    )
    return child
  }

  /** Takes in what git says; while a reader is busy with a part of it, git waits. */
  #arrived(child: ChildProcess, source: Readable, chunk: Buffer): void {
    if (this.#child !== child) return
    if (this.#busy) this.#backlog.push(chunk)
    else this.#parse(child, source, chunk)
  }

  #parse(child: ChildProcess, source: Readable, chunk: Buffer): void {
    for (let at = 0; at < chunk.length && this.#child === child && this.#waiting.length > 0;) {
      let busy
      if (this.#left === 0) [at, busy] = this.#header(chunk, at)
      else {
        const bytes = chunk.subarray(at, at + this.#left)
        at += bytes.length
        this.#left -= bytes.length
        // The last byte is the line feed.
        busy = this.#take(this.#left > 0 ? bytes : bytes.subarray(0, -1))
        if (this.#left === 0 && !busy) this.#answer(true)
      }
      if (!busy) continue
      this.#busy = true
      source.pause()
      if (at < chunk.length) this.#backlog.unshift(chunk.subarray(at))
      void busy.then(() => this.#goOn(child, source))
      return
    }
  }

  /** Goes on when a reader has done its work: with what arrived meanwhile, with the end of git, or with git. */
  #goOn(child: ChildProcess, source: Readable): void {
    if (this.#child !== child) return
    this.#busy = false
    if (this.#left === 0) this.#answer(true)
    for (let chunk; !this.#isBusy() && (chunk = this.#backlog.shift()) !== undefined;)
      this.#parse(child, source, chunk)
    if (this.#isBusy()) return
    if (this.#death) this.#death()
    else source.resume()
  }

  #isBusy(): boolean {
    return this.#busy
  }

  /** Reads the line in front of an object; returns where it ends in the chunk, and when its reader has done. */
  #header(chunk: Buffer, at: number): [end: number, busy?: Promise<void> | undefined] {
    const end = chunk.indexOf(0x0a, at)
    this.#line += chunk.toString('latin1', at, end < 0 ? chunk.length : end)
    if (end < 0) return [chunk.length]
    const [, id, type, size] = HEADER.exec(this.#line) ?? []
    this.#line = ''
    if (id === undefined) {
      this.#answer(false)
      return [end + 1]
    }
    this.#left = Number(size) + 1
    return [end + 1, this.#tell(reader => reader.begin({ id, type: type!, size: Number(size) }))]
  }

  #take(bytes: Buffer): Promise<void> | undefined {
    return bytes.length > 0 ? this.#tell(reader => reader.take(bytes)) : undefined
  }

  /** Calls the reader of the first question, unless it has failed: then the rest of its object is passed over. */
  #tell(call: (reader: ObjectReader) => void | Promise<void>): Promise<void> | undefined {
    if (this.#refused) return undefined
    const refuse = (error: unknown) => {
      this.#refused = { error }
    }
    try {
      return call(this.#waiting[0]!.reader)?.catch(refuse)
    } catch (error) {
      refuse(error)
      return undefined
    }
  }

  #answer(found: boolean): void {
    const { resolve, reject } = this.#waiting.shift()!
    const refused = this.#refused
    this.#refused = undefined
    this.#answers = true
    if (refused) reject(refused.error)
    else resolve(found)
  }

  /**
   * The reason why git died is the answer to the question that it was at; the others are put to another process. Where that one
   * answers nothing either, it is not the fault of a question.
   */
  #died(child: ChildProcess, error: unknown): void {
    if (this.#child !== child) return
    if (this.#busy) {
      this.#death = () => {
        this.#death = undefined
        this.#died(child, error)
      }
      return
    }
    this.#backlog = []
    const [first, ...others] = this.#waiting
    const hopeless = !this.#answers && this.#failed
    this.#failed = !this.#answers
    this.#child = undefined
    this.#waiting = []
    this.#line = ''
    this.#left = 0
    this.#refused = undefined
    first?.reject(error)
    for (const question of others) {
      if (hopeless) question.reject(error)
      else this.#ask(question)
    }
    if (this.#closed && this.#waiting.length > 0) this.close()
  }
}
