// executor: runs commands for a client elsewhere, in a container or on this machine.

import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'

import { EXIT, lasting, quote, temporary } from '../lib/base/exit.ts'
import { ROOT } from '../lib/base/root.ts'
import { command, runMain } from '../lib/system/command.ts'
import { makeDirectories } from '../lib/system/directories.ts'
import { makeOwnDirectory } from '../lib/exec/own-directory.ts'
import { makeExecutorServer } from './execute/server.ts'
import { clientLeft } from './execute/way-back.ts'
import { AlonePlace } from './run/places/alone.ts'
import { ISOLATE, openPlace } from './run/places/open-place.ts'
import type { Place } from './run/places/place.ts'
import { PipePool } from './run/places/pipes.ts'
import { Pools } from './run/places/pools.ts'

/** The longest secret, in bytes. */
const SECRET_MAX = 256

export const executor = command(
  {
    name: 'executor',
    usage: 'stdio|ssh:PATH|unix:PATH|HOST:PORT [alone|auto|pid|no]',
    operands: [1, 2],
    about: `Runs commands for a client elsewhere that speaks the protocol of lib/exec/executor.proto.

The first line of its standard input is the secret that the client must have. When that input ends, all
commands are killed and it ends; so it does not outlive the program, the SSH connection or the container
that started it. With 'stdio' the protocol follows on standard input and output, and so it does with
'ssh:PATH'; there, when the sshd whose PID is in BASS_SSHD is gone as well, it waits 30 s for the client
to come back through the socket PATH. Else it listens, and prints the address. HOST is to be an address
that only the client can reach.

The second argument says how what a command has started is found when it is over: 'alone' kills every
other process, for the first process of a container; the others are as ISOLATE.`,
    environment: { TMPDIR: 'where its own files are', BASS_SSHD: "for 'ssh:PATH'" },
  },
  async ([address, how]) => {
    // A container has it in a volume that is empty.
    makeDirectories(tmpdir())
    const scratch = makeOwnDirectory('bass-executor-')
    // However this ends: an output that nobody reads any more ends it as well.
    process.once('exit', () => rmSync(scratch, { recursive: true, force: true }))
    const secret = await readLine()
    const pipes = new PipePool(bundledMkfifo())
    // The first command waits for its pipes no longer than for the libraries. Without them it says why.
    pipes.make(scratch).then(
      made => pipes.give(made, true),
      () => undefined,
    )
    const pools = new Pools(pipes)
    const { server, credentials, close } = makeExecutorServer({
      secret,
      place: await placeOf(how ?? 'auto', scratch, pools),
      pools,
      scratch,
    })
    const inject = (connection: Duplex) => {
      connection.on('error', () => undefined)
      server.createConnectionInjector(credentials).injectConnection(connection)
    }
    const inputEnded = onceAny(process.stdin, ['end', 'close', 'error'])
    const told = onceAny(process, ['SIGTERM', 'SIGINT', 'SIGHUP'])
    const isOverSsh = address!.startsWith('ssh:')
    // There, an output that nobody reads any more does not end it.
    if (isOverSsh) process.stdout.removeAllListeners('error')
    const left = isOverSsh ? clientLeft(address!.slice(4), inputEnded, inject) : inputEnded
    if (isOverSsh || address === 'stdio')
      inject(Duplex.from({ readable: process.stdin, writable: process.stdout }))
    else {
      const port = await new Promise<number>((done, fail) =>
        server.bindAsync(address!, credentials, (error, port) =>
          error ? fail(temporary(`listen at ${quote(address!)}`, error)) : done(port),
        ),
      )
      process.stdout.write(
        `${address!.startsWith('unix:') ? address! : address!.replace(/:\d+$/, `:${port}`)}\n`,
      )
      process.stdin.resume()
    }
    await Promise.race([left, told])
    await close()
    // Sockets of clients that hang are not waited for.
    process.exit(EXIT.done)
  },
)

const onceAny = (emitter: Pick<NodeJS.EventEmitter, 'once'>, events: readonly string[]) =>
  new Promise<void>(done => {
    for (const event of events) emitter.once(event, () => done())
  })

async function placeOf(how: string, scratch: string, pools: Pools): Promise<Place> {
  if (how === 'alone') {
    if (process.pid !== 1)
      throw lasting('kill every other process', 'this is not the first process of a container')
    return new AlonePlace()
  }
  const isolate = ISOLATE.find(word => word === how)
  if (!isolate)
    throw lasting('understand the arguments', `${quote(how)} is none of alone, ${ISOLATE.join(', ')}`)
  return openPlace({ isolate, work: scratch }, pools)
}

/** The first line of standard input; what follows stays to be read. */
async function readLine(): Promise<string> {
  let text = Buffer.alloc(0)
  return new Promise((done, fail) => {
    const look = () => {
      for (
        let bytes = process.stdin.read() as Buffer | null;
        bytes;
        bytes = process.stdin.read() as Buffer | null
      ) {
        text = Buffer.concat([text, bytes])
        const end = text.indexOf(10)
        if (end < 0 && text.length <= SECRET_MAX) continue
        process.stdin.off('readable', look).off('end', none)
        if (end < 1 || end > SECRET_MAX) none()
        else {
          if (text.length > end + 1) process.stdin.unshift(text.subarray(end + 1))
          done(text.toString('latin1', 0, end))
        }
        return
      }
    }
    const none = () => fail(lasting('read the secret', 'the first line of standard input is to be one'))
    process.stdin.on('readable', look).once('end', none)
  })
}

/** The mkfifo that came with this executor, where it was brought into a container or to another machine. */
function bundledMkfifo(): readonly string[] {
  const at = (name: string) => join(ROOT, name)
  return process.env['BASS_EXECUTOR'] === undefined
    ? ['mkfifo']
    : [at('ld.so'), '--library-path', at('lib64'), at('mkfifo')]
}

if (require.main === module) runMain(executor)
