// What a crash happens in: a spool of its own on a file system in memory, programs that meet their fault in it, and
// what an operator does afterwards, which is to start everything again.

import { execFileSync, spawn } from 'node:child_process'
import type { SpawnOptions } from 'node:child_process'
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

import { readIfThere } from '../../lib/system/durable.ts'
import { buildFault, FaultState } from '../fixtures/fault.ts'
import type { Operation } from '../fixtures/fault.ts'
import { Sandbox } from '../fixtures/sandbox.ts'
import type { Ended } from '../fixtures/sandbox.ts'

/** A file system in memory, where there is one. */
const MEMORY = '/dev/shm'
if (existsSync(MEMORY)) process.env['TMPDIR'] = MEMORY

/** Made once and used by many worlds: the preload, a repository, a spool with a task in it. */
export class Fixtures {
  readonly directory = mkdtempSync(join(tmpdir(), 'bass-crash-'))
  readonly fault = buildFault(this.directory)
  /** What scenarios did without a fault. */
  readonly operations = new Map<string, Promise<Operation[]>>()
  /** The tree whose programs are run: this one, or a copy of it that was broken on purpose. */
  readonly root: string
  readonly revisions: string[]
  /** The files of a task of the first revision. */
  readonly task: ReadonlyMap<string, Buffer>

  constructor(root: string) {
    this.root = root
    this.revisions = makeRepository(this.repository)
    const revision = this.revisions[0]!
    const archive = (tree: string) => execFileSync('git', ['archive', tree], { cwd: this.repository })
    this.task = new Map([
      ['code.tar', archive(revision)],
      ['steps.tar', archive(`${revision}:.bass`)],
      ...['code', 'steps'].flatMap((part): [string, Buffer][] => [
        [`${part}-revision.txt`, Buffer.from(revision + '\n')],
        [`${part}-version.txt`, Buffer.from('v1\n')],
      ]),
    ])
  }

  get repository(): string {
    return join(this.directory, 'hello')
  }

  dispose(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** The step says in its log, and in a directory beside the spool, that a task of this name ran. */
const STEP = '#!/bin/sh\necho here\necho ran >>"$LEDGER/$BASS_TASK"\n'

function makeRepository(directory: string): string[] {
  mkdirSync(join(directory, '.bass'), { recursive: true })
  writeFileSync(join(directory, '.bass/10-test'), STEP, { mode: 0o755 })
  const env = { PATH: process.env['PATH'], HOME: directory, GIT_CONFIG_NOSYSTEM: '1' }
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', ...args], {
      cwd: directory,
      env,
      encoding: 'utf8',
    }).trim()
  git('init', '-q', '-b', 'main')
  return ['one', 'two'].map(word => {
    writeFileSync(join(directory, 'hello.txt'), word + '\n')
    git('add', '.')
    git('commit', '-q', '-m', word)
    return git('rev-parse', 'HEAD')
  })
}

interface RunOptions {
  cwd?: string
  env?: Record<string, string>
  /** What it reads; else nothing. */
  input?: string
  /** Asked now and then; once it is true, the program is sent SIGTERM. */
  until?: () => boolean
}

export class World {
  readonly fixtures: Fixtures
  readonly sandbox: Sandbox
  readonly #state: string
  #states = 0
  #last = 0
  #cleanUp: () => void | Promise<void> = () => undefined
  /** What makes the next programs meet a fault. */
  #fault: Record<string, string> = {}

  constructor(fixtures: Fixtures) {
    this.fixtures = fixtures
    this.sandbox = new Sandbox({ teardown: cleanUp => (this.#cleanUp = cleanUp) })
    this.#state = mkdtempSync(join(tmpdir(), 'bass-fault-'))
    this.sandbox.makeSpool()
    Object.assign(this.sandbox.env, {
      BASS_ROOT: fixtures.root,
      REVS: join(this.spool, 'revs/hello'),
      PROJ: fixtures.repository,
      ARCHS: 'testarch otherarch',
      COMPRESSOR: 'cat',
      BUNDLE_MAX: '10G',
      LFS: 'no',
      SUBMODULES: 'no',
      CODE_GIT: '0',
      POLL_INTERVAL: '0.02',
      WATCH: 'poll',
      ISOLATE: 'no',
      FAILED_JOB_WAITTIME: '0',
      STEP_ENV: 'LEDGER',
      LEDGER: this.sandbox.path('ledger'),
    })
    this.slot = this.sandbox.path('slot')
    for (const name of ['slot', 'other-slot', 'ledger']) mkdirSync(this.sandbox.path(name))
  }

  readonly task = '1:hello:v1:testarch'

  /** What is to be done when nothing of this world is needed any more. */
  readonly teardowns: (() => void)[] = []

  /** How long jobs stay in jobs/cur when they are over. */
  settle = '0'

  /** The working directory of the taker that is started next. */
  slot: string

  get spool(): string {
    return this.sandbox.spool.root
  }

  get revs(): string {
    return join(this.spool, 'revs/hello')
  }

  /** A bare repository that somebody pushes to. */
  cloneRepository(path: string): void {
    execFileSync('git', ['clone', '-q', '--bare', '--shared', this.fixtures.repository, path])
  }

  /** Touches events for revisions of a ref. */
  push(...revisions: string[]): void {
    mkdirSync(join(this.revs, 'heads/main'), { recursive: true })
    for (const revision of revisions) writeFileSync(join(this.revs, 'heads/main', revision), '')
  }

  /** A task as a maker leaves it in `tasks/cur`: answers its path. The counter says that its number is given out. */
  makeTask(): string {
    const { tasks, ctr } = this.sandbox.spool
    const path = join(tasks.cur, this.task)
    mkdirSync(path)
    for (const [name, content] of this.fixtures.task) writeFileSync(join(path, name), content)
    renameSync(join(ctr, '0'), join(ctr, '1'))
    return path
  }

  /** The job of a claim of that task, of whose owner nothing will be heard any more: answers its path. */
  makeJob(
    path: string,
    owner: { host: string; slot: string } = { host: 'elsewhere', slot: '/slot' },
  ): string {
    mkdirSync(path)
    writeFileSync(join(path, 'alive'), '')
    const whole = { ...owner, boot: 'b', pid: 1, start: '1', namespace: 'n', token: 'a'.repeat(16) }
    writeFileSync(
      join(path, 'owner.txt'),
      Object.entries(whole)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    )
    linkSync(join(path, 'owner.txt'), join(this.sandbox.spool.tasks.cur, this.task, 'claim'))
    return path
  }

  /**
   * From now on a command, or all that runs if it is undefined, meets a fault; without one it is only counted. `more` is
   * what else the preload is told, such as FAULT_LOOKS.
   */
  arm(command: string | undefined, fault?: string, more: Record<string, string> = {}): FaultState {
    const state = new FaultState(this.fixtures.fault, join(this.#state, String(this.#states++)))
    const program = command && join(this.fixtures.root, 'dist', `${command}.js`)
    this.#fault = { ...state.environment(this.sandbox.dir, program, fault), ...more }
    return state
  }

  /** From now on programs meet no fault. */
  disarm(): void {
    this.#fault = {}
  }

  /** Runs a program as the leader of a process group of its own; what outlives it is not waited for. */
  async run(program: string, args: string[], options: RunOptions = {}): Promise<Ended> {
    const output = join(this.#state, `output${this.#states++}`)
    const [stdout, stderr] = [`${output}.1`, `${output}.2`]
    writeFileSync(`${output}.0`, options.input ?? '')
    const files = [openSync(`${output}.0`, 'r'), openSync(stdout, 'w'), openSync(stderr, 'w')] as const
    const spawnOptions: SpawnOptions = {
      cwd: options.cwd ?? this.sandbox.dir,
      env: { ...this.sandbox.env, ...options.env, ...this.#fault },
      stdio: [...files],
      detached: true,
    }
    const child = spawn(resolve(this.fixtures.root, program), args, spawnOptions)
    const exit = new Promise<Pick<Ended, 'code' | 'signal'>>((done, failed) => {
      child.on('error', failed)
      child.on('exit', (code, signal) => done({ code, signal }))
    })
    this.#last = child.pid ?? 0
    const timer = setTimeout(() => child.kill('SIGKILL'), 30_000)
    const asking = setInterval(() => {
      if (!options.until?.()) return
      clearInterval(asking)
      child.kill('SIGTERM')
    }, 10)
    try {
      const ended = await exit
      return { ...ended, stdout: readFileSync(stdout, 'utf8'), stderr: readFileSync(stderr, 'utf8') }
    } finally {
      clearTimeout(timer)
      clearInterval(asking)
      for (const fd of files) closeSync(fd)
    }
  }

  /** Starts makers until every event has been handled, and one that finds nothing to do, and so sweeps. */
  async makeAll(): Promise<void> {
    for (let i = 0; i < 10 && this.hasEvents(); i++) await this.run('master/bin/task-maker', ['--once'])
    await this.run('master/bin/task-maker', ['--once'])
  }

  hasEvents(): boolean {
    return filesBelow(this.revs).length > 0 || this.sandbox.ls('spool/revs/.making/hello').length > 0
  }

  /** Waits until the program that was started last has stopped itself; false if it ended before. */
  async stopped(running: Promise<Ended>): Promise<boolean> {
    let over = false
    const end = () => (over = true)
    running.then(end, end)
    while (!over) {
      if (isStopped(this.#last)) return true
      await new Promise(done => setTimeout(done, 5))
    }
    return false
  }

  /** Waits until a program has met its fault, or has ended without. */
  async met(state: FaultState, running: Promise<Ended>): Promise<void> {
    const ended = new AbortController()
    const end = () => ended.abort()
    running.then(end, end)
    while (!ended.signal.aborted && !state.fired) await new Promise(done => setTimeout(done, 5))
  }

  /** Works from now on in another slot; answers how the one that stopped goes on. */
  takeOver(): () => void {
    const stopped = this.#last
    this.slot = this.sandbox.path('other-slot')
    return () => process.kill(-stopped, 'SIGCONT')
  }

  /** Runs a taker until no task waits and its own jobs are over and cleared away, or for a few seconds. */
  async takeAll(): Promise<Ended> {
    const { slot } = this
    const end = Date.now() + 5000
    const ofOthers = (name: string) => {
      const claim = readIfThere(this.sandbox.path('spool/tasks/cur', name, 'claim'))
      return claim !== undefined && !claim.includes(`slot=${slot}\n`)
    }
    const idle = () =>
      this.sandbox.ls('spool/tasks/cur').every(ofOthers) && names(join(slot, 'work')).length === 0
    return await this.run('slave/bin/task-taker', [], { cwd: slot, until: () => idle() || Date.now() > end })
  }

  /** Lets the reaper see a minute go by, in a fraction of a second. */
  async reap(): Promise<Ended> {
    return await this.run('master/bin/reaper', [], {
      env: {
        NODE_OPTIONS: `--require=${join(this.fixtures.root, 'dist/test/fixtures/clock.js')}`,
        CLOCK_SPAN: '60',
        POLL_INTERVAL: '1',
        LOST_AFTER: '5',
        SWEEP_AFTER: '20',
        SETTLE: this.settle,
      },
    })
  }

  /** The processes that are left of whatever ran in this world. */
  processes(): number[] {
    return readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .filter(pid => {
        try {
          return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(this.sandbox.dir)
        } catch {
          // It has ended meanwhile.
          return false
        }
      })
      .map(Number)
  }

  /** Waits until nothing runs any more but what was stopped, or for a few seconds. */
  async quiet(): Promise<void> {
    for (let i = 0; i < 250 && !this.processes().every(isStopped); i++)
      await new Promise(done => setTimeout(done, 20))
  }

  /** Nothing of this world goes on. */
  killAll(): void {
    for (const pid of this.processes()) process.kill(pid, 'SIGKILL')
  }

  async dispose(): Promise<void> {
    this.killAll()
    for (const tearDown of this.teardowns) tearDown()
    await this.#cleanUp()
    rmSync(this.#state, { recursive: true, force: true })
  }
}

const isStopped = (pid: number): boolean => /\) [Tt] /.test(readIfThere(`/proc/${pid}/stat`) ?? '')

const names = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory) : [])

function filesBelow(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { withFileTypes: true }).flatMap(entry => {
    const path = join(directory, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}
