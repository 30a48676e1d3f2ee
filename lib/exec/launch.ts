// Starts an executor as a child, whatever brings it to where it runs, and connects to it through its standard streams. The
// gRPC library wants an address, so a socket that is ours alone stands between.

import type { ChildProcess, ChildProcessWithoutNullStreams } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'

import { temporary } from '../base/exit.ts'
import { start } from '../system/run.ts'
import { ExecutorClient } from './client.ts'
import { makeOwnDirectory } from './own-directory.ts'

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

/**
 * `attempt` completes "unable to". Throws a Fatal that says what the child said: `reasonIn` finds it in its standard error.
 */
export async function launch(
  attempt: string,
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  reasonIn = lastLine,
): Promise<Launched> {
  const directory = makeOwnDirectory('bass-client-')
  const secret = randomBytes(24).toString('base64url')
  const child = start(command, { stdio: ['pipe', 'pipe', 'pipe'], env, detached: true })
  const ended = endOf(child)
  const bridge = bridgeTo(child)
  const close = async (): Promise<void> => {
    bridge.close()
    await endChild(child, ended)
    bridge.cut()
    rmSync(directory, { recursive: true, force: true })
  }
  const gone = new AbortController()
  try {
    const path = join(directory, 's')
    await bridge.listen(path)
    child.stdin.write(`${secret}\n`)
    const died = ended.then(complaint => {
      throw temporary(attempt, complaint === '' ? 'its executor ended at once' : reasonIn(complaint))
    })
    const client = await Promise.race([
      ExecutorClient.connect(`unix:${path}`, secret, LAUNCH_TIMEOUT_MS, gone.signal),
      died,
    ])
    died.catch(() => undefined)
    // Nobody else is to come; so a client that is killed leaves nothing here.
    rmSync(directory, { recursive: true, force: true })
    return {
      client,
      close: async () => {
        client.close()
        await close()
      },
    }
  } catch (error) {
    gone.abort()
    await close()
    throw error
  }
}

/** Resolves when the child has ended or could not be started, with the end of what it complained. */
function endOf(child: ChildProcessWithoutNullStreams): Promise<string> {
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

/** A socket whose one connection is the standard streams of the child. */
function bridgeTo(child: ChildProcessWithoutNullStreams) {
  child.stdin.on('error', () => undefined)
  let passage: Socket | undefined
  const server = createServer(socket => {
    passage = socket
    socket.on('error', () => undefined)
    socket.pipe(child.stdin)
    child.stdout.pipe(socket)
    server.close()
  })
  return {
    listen: (path: string) => new Promise<void>(done => server.listen(path, done)),
    /** Takes no connection from now on. */
    close: () => server.close(),
    cut: () => passage?.destroy(),
  }
}

/** How long an executor may take to end when its input has ended, in milliseconds. */
const EXECUTOR_GRACE_MS = 5000

async function endChild(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.stdin?.destroy()
  const timer = setTimeout(() => child.kill('SIGKILL'), EXECUTOR_GRACE_MS)
  await ended.finally(() => clearTimeout(timer))
}
