// Starts an executor as a child, whatever brings it to where it runs, and connects to it through its standard streams. The
// gRPC library wants an address, so a socket that is ours alone stands between.

import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { join } from 'node:path'

import { notStarted, quote, temporary } from '../base/exit.ts'
import { unlessStopped } from '../base/stop.ts'
import { start } from '../system/run.ts'
import { ExecutorClient } from './client.ts'
import { makeOwnDirectory } from './own-directory.ts'
import { PATIENCE_MAX } from './protocol.ts'

/** How long an executor may take to start, in milliseconds: an image may have to be fetched first. */
const LAUNCH_TIMEOUT_MS = 300_000

/** Most bytes of the child's complaints that are kept. */
const COMPLAINT_MAX = 2000

/** An executor in a place of its own, and a way to its terminal. */
export interface Opened extends Launched {
  /** A path there that is not made yet: that of the copy of files from here. What is beside it is ours, too. */
  readonly place: string
  /**
   * A command line here that runs a command there for whoever sits before this terminal, if it is one; as `user` of a container,
   * if that is not empty.
   */
  readonly atTerminal: (command: readonly string[], directory: string, user: string) => string[]
}

export interface Launched {
  readonly client: ExecutorClient
  /** Ends the executor and all it runs; resolves when the child is gone. */
  close(): Promise<void>
}

const lastLine = (stderr: string) => stderr.trim().split('\n').at(-1)!

interface LaunchOptions {
  /** Finds in its standard error what the child said. */
  readonly reasonIn?: (stderr: string) => string
  /** The command of another child that connects to the same executor again, where that is possible. */
  readonly again?: readonly string[]
  /** Ends the start when it aborts; what has started is not its business. */
  readonly stop?: AbortSignal | undefined
}

/** `attempt` completes "unable to". Throws a Fatal that says what the child said. */
export async function launch(
  attempt: string,
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  { reasonIn = lastLine, again, stop }: LaunchOptions = {},
): Promise<Launched> {
  const directory = makeOwnDirectory('bass-client-')
  const secret = randomBytes(24).toString('base64url')
  const startChild = (line: readonly string[]) =>
    start(line, { stdio: ['pipe', 'pipe', 'pipe'], env, detached: true })
  const child = startChild(command)
  const failed = new Promise<never>((_, fail) =>
    child.once('error', error => fail(notStarted(command[0]!, error))),
  )
  failed.catch(() => undefined)
  const bridge = new Bridge(child, again && (() => startChild(again)))
  const close = async (isHurried = false): Promise<void> => {
    await bridge.close(isHurried)
    rmSync(directory, { recursive: true, force: true })
  }
  const gone = new AbortController()
  try {
    const path = join(directory, 's')
    await bridge.listen(path)
    child.stdin.write(`${secret}\n`)
    const died = bridge.ended.then(complaint => {
      throw temporary(attempt, complaint === '' ? 'its executor ended at once' : reasonIn(complaint))
    })
    const connected = ExecutorClient.connect(`unix:${path}`, secret, LAUNCH_TIMEOUT_MS, {
      patience: again ? PATIENCE_MAX : 0,
      signal: gone.signal,
    })
    const client = await unlessStopped(Promise.race([failed, connected, died]), stop)
    died.catch(() => undefined)
    // Nobody else is to come; so a client that is killed leaves nothing here.
    if (!again) rmSync(directory, { recursive: true, force: true })
    return {
      client,
      close: async () => {
        client.close()
        await close()
      },
    }
  } catch (error) {
    gone.abort()
    await close(stop?.aborted)
    throw error
  }
}

/** Resolves when the child has ended or could not be started, with the end of what it complained. */
function endOf(child: Child): Promise<string> {
  let complaint = ''
  child.stderr.on('data', (bytes: Buffer) => {
    complaint = (complaint + bytes.toString()).slice(-COMPLAINT_MAX)
  })
  return new Promise(done => {
    const end = () => done(complaint.trim())
    child.on('error', error => {
      complaint ||= error.message
      end()
    })
    child.on('close', end)
  })
}

type Child = ChildProcessWithoutNullStreams

/** A socket whose connections are the standard streams of children: of the first one, and then of those that `again` starts. */
class Bridge {
  readonly #children: { readonly child: Child; readonly ended: Promise<unknown> }[] = []
  readonly #sockets = new Set<Socket>()
  readonly #server: Server
  /** As `endOf` the first child. */
  readonly ended: Promise<string>

  constructor(first: Child, again: (() => Child) | undefined) {
    this.ended = this.#add(first)
    let next: Child | undefined = first
    this.#server = createServer(socket => {
      const child = next ?? again!()
      if (!next) void this.#add(child)
      next = undefined
      this.#sockets.add(socket)
      socket.on('error', () => undefined).on('close', () => this.#sockets.delete(socket))
      socket.pipe(child.stdin)
      child.stdout.pipe(socket)
      if (!again) this.#server.close()
    })
  }

  #add(child: Child): Promise<string> {
    child.stdin.on('error', () => undefined)
    const ended = endOf(child)
    this.#children.push({ child, ended })
    return ended
  }

  /** Throws Fatal where that cannot be, as where a path is too long for a socket. */
  listen(path: string): Promise<void> {
    return new Promise((done, fail) => {
      // Also one that cannot take a connection later, as where descriptors are short, is no end of this program.
      this.#server.on('error', error => fail(temporary(`listen at ${quote(path)}`, error)))
      this.#server.listen(path, done)
    })
  }

  /**
   * Takes no connection from now on, and ends the children; resolves when they are gone. They end with their input, or, if they
   * are to hurry, for what they do may not be with that yet, with TERM.
   */
  async close(isHurried: boolean): Promise<void> {
    this.#server.close()
    const all = this.#children.map(({ child, ended }) => {
      if (isHurried) child.kill('SIGTERM')
      return endChild(child, ended, isHurried ? HURRIED_MS : EXECUTOR_GRACE_MS)
    })
    await Promise.all(all)
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** How long an executor may take to end when its input has ended, and an engine that is to stop, in milliseconds. */
const [EXECUTOR_GRACE_MS, HURRIED_MS] = [5000, 1000]

async function endChild(child: Child, ended: Promise<unknown>, grace: number): Promise<void> {
  child.stdin.destroy()
  const timer = setTimeout(() => child.kill('SIGKILL'), grace)
  await ended.finally(() => clearTimeout(timer))
}
