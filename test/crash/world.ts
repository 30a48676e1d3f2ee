// What a crash happens in: a spool of its own on a file system in memory, programs that meet their fault in it, and
// what an operator does afterwards, which is to start everything again.

import { execFileSync, spawn } from 'node:child_process'
import type { SpawnOptions } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { buildFault, FaultState } from '../fixtures/fault.ts'
import { Sandbox } from '../fixtures/sandbox.ts'
import type { Ended } from '../fixtures/sandbox.ts'

/** Made once and used by many worlds: the preload, a repository, a spool with a task in it. */
export class Fixtures {
  readonly directory = mkdtempSync(join(tmpdir(), 'bass-crash-'))
  readonly fault = buildFault(this.directory)
  /** The tree whose programs are run: this one, or a copy of it that was broken on purpose. */
  readonly root: string
  readonly revisions: string[]

  constructor(root: string) {
    this.root = root
    this.revisions = makeRepository(this.repository)
  }

  get repository(): string {
    return join(this.directory, 'hello')
  }

  dispose(): void {
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Its step says in a directory beside the spool that this claim ran. */
const STEP = '#!/bin/sh\necho done\n'

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

export class World {
  readonly fixtures: Fixtures
  readonly sandbox: Sandbox
  readonly #state: string
  #states = 0
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
      TAR: 'tar',
      POLL_INTERVAL: '0.02',
      WATCH: 'poll',
      ISOLATE: 'no',
      SETTLE: '0',
      FAILED_JOB_WAITTIME: '0',
    })
  }

  get spool(): string {
    return this.sandbox.spool.root
  }

  get revs(): string {
    return join(this.spool, 'revs/hello')
  }

  /** Touches events for revisions of a ref. */
  push(...revisions: string[]): void {
    mkdirSync(join(this.revs, 'heads/main'), { recursive: true })
    for (const revision of revisions) writeFileSync(join(this.revs, 'heads/main', revision), '')
  }

  /** From now on a command, or all that runs if it is undefined, meets a fault; without one it is only counted. */
  arm(command: string | undefined, fault?: string): FaultState {
    const state = new FaultState(this.fixtures.fault, join(this.#state, String(this.#states++)))
    const program = command && join(this.fixtures.root, 'dist', `${command}.js`)
    this.#fault = state.environment(this.sandbox.dir, program, fault)
    return state
  }

  /** From now on programs meet no fault. */
  disarm(): void {
    this.#fault = {}
  }

  /** Runs a program as the leader of a process group of its own; what outlives it is not waited for. */
  async run(
    program: string,
    args: string[],
    options: { cwd?: string; env?: Record<string, string> } = {},
  ): Promise<Ended> {
    const [stdout, stderr] = ['stdout', 'stderr'].map(name => join(this.#state, name)) as [string, string]
    const files = [openSync(stdout, 'w'), openSync(stderr, 'w')] as const
    const spawnOptions: SpawnOptions = {
      cwd: options.cwd ?? this.sandbox.dir,
      env: { ...this.sandbox.env, ...options.env, ...this.#fault },
      stdio: ['ignore', ...files],
      detached: true,
    }
    try {
      const child = spawn(join(this.fixtures.root, program), args, spawnOptions)
      const timer = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), 30_000)
      const ended = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>(
        (done, failed) => {
          child.on('error', failed)
          child.on('exit', (code, signal) => done({ code, signal }))
        },
      )
      clearTimeout(timer)
      return { ...ended, stdout: readFileSync(stdout, 'utf8'), stderr: readFileSync(stderr, 'utf8') }
    } finally {
      for (const fd of files) closeSync(fd)
    }
  }

  /** Starts makers until every event has been handled, and one that finds nothing to do, and so sweeps. */
  async makeAll(): Promise<void> {
    for (let i = 0; i < 10 && this.hasEvents(); i++) await this.run('master/bin/task-maker', ['--once'])
    await this.run('master/bin/task-maker', ['--once'])
  }

  hasEvents(): boolean {
    return (
      filesBelow(join(this.spool, 'revs')).length > 0 ||
      this.sandbox.ls('spool/revs/.making/hello').length > 0
    )
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

  /** Nothing of this world goes on. */
  killAll(): void {
    for (const pid of this.processes()) process.kill(pid, 'SIGKILL')
  }

  /** What this world is, for another one to be made of. */
  copyTo(directory: string): void {
    cpSync(this.spool, directory, { recursive: true, preserveTimestamps: true })
  }

  async dispose(): Promise<void> {
    this.killAll()
    await this.#cleanUp()
    rmSync(this.#state, { recursive: true, force: true })
  }
}

function filesBelow(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { withFileTypes: true }).flatMap(entry => {
    const path = join(directory, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}
