// bass exec: runs a command in a container or on another machine, on a copy of what is here.

import { constants } from 'node:os'
import { resolve } from 'node:path'

import { readBounds } from '../lib/base/elsewhere.ts'
import { isErrno } from '../lib/base/errno.ts'
import { EXIT, lasting, quote, temporary } from '../lib/base/exit.ts'
import { parseDuration, sizeLimit } from '../lib/base/settings.ts'
import { unlessStopped } from '../lib/base/stop.ts'
import { writeS2 } from '../lib/bundle/s2.ts'
import type { RemoteExecution } from '../lib/exec/remote-execution.ts'
import type { Opened } from '../lib/exec/launch.ts'
import { tarOf } from '../lib/exec/pack.ts'
import type { TaskLog, TaskResult } from '../lib/exec/protocol.ts'
import { command, usage } from '../lib/system/command.ts'
import { makeDirectories } from '../lib/system/directories.ts'
import { say } from '../lib/system/log.ts'
import { bringBack } from '../lib/exec/bring-back.ts'
import { contentOf } from './parts/content.ts'

const PROGRAM_NAME = 'bass exec'
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const USAGE = '--in IMAGE|--ssh [USER@]HOST [OPTION...] -- COMMAND...'

export const verb = command(
  {
    name: PROGRAM_NAME,
    usage: USAGE,
    operands: [1, Infinity],
    about: `Runs COMMAND in a container or on another machine, on a copy of what is here.

What git does not ignore in the repository around the current directory is copied there, or with --map
what that names. The output is shown as it comes. What the command changed is brought back into DIR, by
default the repository, or with --map the current directory; what it deleted is named. Exits as the
command does. Ctrl-C is the command's; a second one kills it. The container is removed, however this
ends.`,
    options: {
      in: { type: 'string', value: 'IMAGE', about: 'run it in a container of this image' },
      ssh: { type: 'string', value: 'HOST', about: 'run it on this machine, as ssh reaches it' },
      map: { type: 'list', value: 'FROM:TO', about: 'copy FROM to TO in its directory, and nothing else' },
      all: { type: 'boolean', about: 'copy also what git ignores' },
      out: { type: 'string', value: 'DIR', about: 'where to put what it changed' },
      delete: { type: 'boolean', about: 'delete there what it deleted' },
      env: { type: 'list', value: 'K=V', about: 'a variable of its environment' },
      input: { type: 'boolean', alias: 'i', about: 'give it our standard input' },
      timeout: { type: 'string', value: 'TIME', about: 'kill it after this time' },
      verbose: { type: 'boolean', alias: 'v', about: 'show also what the executor says of its work' },
    },
    environment: {
      CONTAINER: 'podman or docker, with options; else whichever is there',
      CONTAINER_NETWORK: 'none, private (one of its own), or the name of a network',
      'CONTAINER_CPUS, CONTAINER_MEMORY, CONTAINER_PIDS': 'what the container may take',
      EXEC_KEEP: 'how long a machine keeps the executor that it was given',
    },
    exits: { '99': 'it ran into --timeout', '128+n': 'a signal ended it', other: "the command's own" },
  },
  async (words, options) => {
    if ((options.in === undefined) === (options.ssh === undefined))
      throw usage({ name: PROGRAM_NAME, usage: USAGE }, 'one of --in and --ssh is needed')
    const environment = Object.fromEntries(options.env.map(parseVariable))
    const timeout = options.timeout === undefined ? 0 : parseDuration(options.timeout)
    if (timeout === undefined)
      throw lasting('understand --timeout', `${quote(options.timeout!)} is no time such as 90, 30s or 10m`)
    const content = await contentOf(process.cwd(), options.map, options.all)
    const out = resolve(options.out ?? content.top)
    const maxBytes = sizeLimit('BUNDLE_MAX')
    makeOut(out)
    return withSignals(async (stop, during) => {
      const opened = await open(options, stop)
      const { client, place } = opened
      try {
        await unlessStopped(client.put(place, writeS2(tarOf(content.items))), stop)
        const execution = client.execute(
          {
            name: quote(words[0]!),
            command: words,
            environment,
            inherit: true,
            timeout,
            directory: content.within === '' ? place : `${place}/${content.within}`,
            contentRoot: place,
            wantArchive: true,
            wantInput: options.input,
          },
          { output: show, log: log => tell(log, options.verbose) },
        )
        const result = await during(execution, options.input)
        const deleted = options.delete ? 'deleted' : 'named'
        await unlessStopped(bringBack(client, result, out, deleted, { maxBytes }), stop)
        return exitCodeOf(result)
      } finally {
        await opened.close()
      }
    })
  },
)

async function open(
  options: { readonly in: string | undefined; readonly ssh: string | undefined },
  stop: AbortSignal,
): Promise<Opened> {
  if (options.in !== undefined) {
    const { openContainer } = await import('../lib/exec/in-container.ts')
    return openContainer({ image: options.in, bounds: readBounds(process.env) }, process.env, stop)
  }
  const { openOverSsh } = await import('../lib/exec/over-ssh.ts')
  return openOverSsh(options.ssh!, process.env, stop)
}

function makeOut(path: string): void {
  try {
    makeDirectories(path)
  } catch (error) {
    if (!isErrno(error, 'EEXIST', 'ENOTDIR')) throw error
    throw lasting('bring back what it changes', `${quote(path)} is not a directory`)
  }
}

function parseVariable(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at < 1) throw lasting('understand --env', `${quote(text)} is not K=V`)
  return [text.slice(0, at), text.slice(at + 1)]
}

/** Resolves when there is room for more. */
async function show(stream: 1 | 2, data: Buffer): Promise<void> {
  const to = stream === 1 ? process.stdout : process.stderr
  if (to.write(data)) return
  await new Promise<void>(done => {
    const go = () => {
      to.off('drain', go).off('close', go)
      done()
    }
    to.on('drain', go).on('close', go)
  })
}

/** Says what an executor does, and has to warn of. */
function tell({ level, message, attributes }: TaskLog, verbose: boolean): void {
  if (!verbose && level === 'info') return
  const more = Object.entries(attributes).map(([name, value]) => `${name} ${value}`)
  say(level === 'warning' ? 'warning' : 'info', [message, ...more].join(', '))
}

/** Waits for a command there: signals and input are its. */
type During = (execution: RemoteExecution, input: boolean) => Promise<TaskResult>

/** Does the work, and answers what it does; a signal that no command there can be given stops it, and is the answer. */
async function withSignals(work: (stop: AbortSignal, during: During) => Promise<number>): Promise<number> {
  const stop = new AbortController()
  let running: RemoteExecution | undefined
  let interrupts = 0
  const onSignal = (name: NodeJS.Signals) => {
    if (!running) stop.abort(name)
    else if (name === 'SIGINT' && interrupts++ === 0) running.signal('INT')
    else running.cancel()
  }
  const during: During = async (execution, input) => {
    running = execution
    if (input) void feed(execution)
    return execution.result.finally(() => {
      running = undefined
      if (input) process.stdin.destroy()
    })
  }
  for (const name of SIGNALS) process.on(name, onSignal)
  try {
    return await work(stop.signal, during)
  } catch (error) {
    if (!stop.signal.aborted) throw error
    return 128 + constants.signals[stop.signal.reason as NodeJS.Signals]
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal)
  }
}

async function feed(execution: RemoteExecution): Promise<void> {
  try {
    for await (const data of process.stdin as AsyncIterable<Buffer>)
      if (!execution.input(data)) await execution.drained()
    execution.endInput()
  } catch {
    // The command is over, and its input with it.
  }
}

function exitCodeOf({ error, timedOut, signal, exitCode }: TaskResult): number {
  if (error !== '') throw temporary('run it there', error)
  if (timedOut) {
    say('info', 'it ran into --timeout')
    return EXIT.timeout
  }
  return signal === ''
    ? exitCode
    : 128 + ((constants.signals as Readonly<Record<string, number | undefined>>)[`SIG${signal}`] ?? 0)
}
