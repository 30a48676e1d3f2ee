// An executor on a machine that ssh reaches, with the user's own configuration and agent. One connection carries everything;
// no port is opened. The executor is kept there under its hash; it ends when its input ends, because an ssh that is killed
// leaves what it runs. Only where the connection itself is lost, and the sshd there with it, does it wait for us to come back.

import { rmSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'

import { Fatal, lasting, quote, temporary } from '../base/exit.ts'
import { duration } from '../base/settings.ts'
import { shellQuote } from '../base/shell-quote.ts'
import { token } from '../system/durable.ts'
import { run, start } from '../system/run.ts'
import type { CommandLine } from '../system/run.ts'
import { launch } from './launch.ts'
import type { Opened } from './launch.ts'
import { makeOwnDirectory } from './own-directory.ts'
import type { Environment } from '../base/settings.ts'
import { tarOf } from './pack.ts'
import { commandIn, findRuntime, nodeIn, packerIn, rejoinIn } from './runtime.ts'

/** Seconds that ssh waits for a connection. */
const CONNECT = 15

/** Removes a tree, whatever modes a step left there. */
const REMOVE = 'remove() { rm -rf "$1" 2>/dev/null || { chmod -R u+rwX "$1"; rm -rf "$1"; }; }'

/**
 * Says what machine it is, whether the executor is there, and makes a directory for this execution; removes executors
 * that nobody has used for $2 minutes, copies that were left unfinished, and directories of executions that are over. The
 * home directory may be that of several machines, each of which removes its own.
 */
const LOOK_SCRIPT = `
${REMOVE}
hash=$1
cache=\${XDG_CACHE_HOME:-$HOME/.cache}/bass
mkdir -p "$cache" || exit
find "$cache" -mindepth 1 -maxdepth 1 \\( -name 'executor-*' ! -name "executor-$hash" -mmin "+$2" \\
    -o -name '.new-*' -mmin +60 \\) -exec rm -rf {} + 2>/dev/null
for run in "$cache"/run-*; do
    read -r pid machine 2>/dev/null <"$run/pid" && [ "$machine" = "$(uname -n)" ] &&
        ! kill -0 "$pid" 2>/dev/null && remove "$run"
done
[ -e "$cache/executor-$hash/ready" ] && there=yes && touch "$cache/executor-$hash"
printf '%s\\n' "$(uname -s) $(uname -m) \${there:-no} $cache"
`

/**
 * Unpacks what comes into the private directory $2 and runs the rest of the arguments; that takes the name $1 when it is
 * whole: who comes second throws it away.
 */
const KEEP = `
at=$1 new=$2; shift 2
mkdir "$new" && tar -xf - -C "$new" && "$@" && : >"$new/ready" || { rm -rf "$new"; exit 1; }
mv -T "$new" "$at" 2>/dev/null || rm -rf "$new"
[ -e "$at/ready" ]
`

/** Runs the executor; when it has ended, so has the directory. */
const RUN = `
${REMOVE}
work=$1; shift
mkdir -m 700 "$work" && echo "$$ $(uname -n)" >"$work/pid" || exit
export BASS_EXECUTOR=1 BASS_SSHD=$PPID TMPDIR="$work"
"$@"
code=$?
remove "$work"
exit $code
`

/** Connects to it again. */
const REJOIN = 'export BASS_SSHD=$PPID; exec "$@"'

/** Starts one; throws a Fatal that says why it cannot, or that `stop` aborted first. */
export async function openOverSsh(host: string, env: Environment, stop?: AbortSignal): Promise<Opened> {
  if (host === '' || host.startsWith('-') || /\s/.test(host))
    throw lasting('reach a machine', `${quote(host)} is not the name of one`)
  const control = makeOwnDirectory('bass-ssh-')
  const options = optionsOf(control)
  const remote = (script: string, ...args: string[]) => [
    'ssh',
    ...options,
    host,
    `exec ${['sh', '-c', script, 'sh', ...args].map(shellQuote).join(' ')}`,
  ]
  const end = async () => {
    await run(['ssh', ...options, '-O', 'exit', host], { env }).catch(() => undefined)
    rmSync(control, { recursive: true, force: true })
  }
  try {
    const { hash, items } = findRuntime()
    const minutes = Math.ceil(duration('EXEC_KEEP', env) / 60_000)
    const answer = await ask(host, remote(LOOK_SCRIPT, hash, String(minutes)), env, stop)
    // There may be blanks in the path.
    const [, system, machine, there, cache] = /^(\S+) (\S+) (yes|no) (.*)$/s.exec(answer) ?? []
    if (cache === undefined) throw lasting(`run it on ${quote(host)}`, `it answers ${quote(answer)}`)
    const here = await ask(host, ['uname', '-sm'], env, stop)
    if (here !== `${system!} ${machine!}`)
      throw lasting(`run it on ${quote(host)}`, `that is ${system!} ${machine!}, and this ${here}`)
    const kept = `${cache}/executor-${hash}`
    if (there !== 'yes') {
      const unfinished = `${cache}/.new-${token()}`
      await keep(host, remote(KEEP, kept, unfinished, ...nodeIn(unfinished, packerIn(unfinished))), items, {
        env,
        signal: stop,
      })
    }
    const work = `${cache}/run-${token()}`
    const launched = await launch(
      `run it on ${quote(host)}`,
      remote(RUN, work, ...commandIn(kept, `ssh:${work}/back`, 'auto')),
      env,
      { again: remote(REJOIN, ...rejoinIn(kept, `${work}/back`)), stop },
    )
    const close = async () => {
      await launched.close()
      await end()
    }
    return {
      client: launched.client,
      place: `${work}/content`,
      atTerminal: (command, directory) => [
        ...['ssh', ...options, ...(process.stdin.isTTY ? ['-t'] : []), host],
        `cd ${shellQuote(directory)} && exec ${command.map(shellQuote).join(' ')}`,
      ],
      close,
    }
  } catch (error) {
    await end()
    throw error
  }
}

/** One connection for all that is run, by a socket in this directory. */
const optionsOf = (control: string): string[] => [
  ...['BatchMode=yes', `ConnectTimeout=${CONNECT}`, 'ServerAliveInterval=5', 'ServerAliveCountMax=3'].flatMap(
    one => ['-o', one],
  ),
  ...['ControlMaster=auto', `ControlPath=${control}/c`, 'ControlPersist=10'].flatMap(one => ['-o', one]),
  '-T',
]

/** Runs a command and returns its output, trimmed. 255 is ssh's own failure. */
async function ask(
  host: string,
  command: CommandLine,
  env: Environment,
  stop: AbortSignal | undefined,
): Promise<string> {
  const { code, stdout, stderr } = await run(command, { env, signal: stop })
  if (code !== 0) throw refused(host, code, stderr)
  return stdout.trim()
}

/** A machine that refuses us goes on refusing; one that is not there may come back. */
function refused(host: string, code: number | null, stderr: string): Fatal {
  // The last line of tar says nothing.
  const lines = stderr.split(/[\r\n]+/).filter(line => line !== '' && !line.includes('Exiting with failure'))
  const why = lines.at(-1) ?? `exit ${code ?? '?'}`
  const make = /denied|verification failed|not allowed/i.test(why) ? lasting : temporary
  return make(`reach ${quote(host)}`, why)
}

async function keep(
  host: string,
  command: CommandLine,
  items: ReturnType<typeof findRuntime>['items'],
  how: { readonly env: Environment; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const child = start(command, { stdio: ['pipe', 'ignore', 'pipe'], ...how })
  let complaint = ''
  child.stderr.on('data', (bytes: Buffer) => (complaint += bytes.toString()))
  const ended = new Promise<number | null>((done, fail) => child.on('error', fail).on('close', done))
  const [code] = await Promise.all([ended, pipeline(tarOf(items), child.stdin).catch(() => undefined)])
  if (code !== 0) throw refused(host, code, complaint)
}
