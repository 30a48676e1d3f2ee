// What a scenario stands on: a sandbox in its place, with a spool and a project in it as `bass init` makes them, and our
// programs as users start them.

import { existsSync, mkdirSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { takeNumbers } from '../../lib/spool/counter.ts'
import { tolerating } from '../../lib/base/errno.ts'
import { cloneTree } from '../../lib/spool/fan-out.ts'
import { eventually, Sandbox } from '../fixtures/sandbox.ts'
import type { Running } from '../fixtures/sandbox.ts'
import { Bell } from './bell.ts'
import type { Stage } from './scenario.ts'

/** For so long a scenario waits for what it does, in milliseconds. */
const PATIENCE = 120_000

export class Ground extends Sandbox {
  readonly code = this.path('code')
  readonly bare = this.path('hello.git')
  readonly bell: Bell
  /** What nq, task-spooler and Laminar need to have queues of their own here. */
  readonly queues: Readonly<Record<string, string>>

  constructor(stage: Stage) {
    process.env['TMPDIR'] = stage.place.directory
    super(stage)
    this.bell = new Bell(this.path('bell'))
    this.queues = {
      NQDIR: this.path('nq'),
      TS_SOCKET: this.path('ts'),
      TS_SLOTS: '2',
      TS_MAXFINISHED: '10',
      LAMINAR_HOST: `unix:${this.path('laminar-rpc')}`,
      TMPDIR: this.dir,
    }
    if (stage.profiler) this.env['PATH'] = `${stage.profiler.bin}:${this.env['PATH']!}`
    stage.teardown(async () => {
      // Only who ends by himself writes a profile.
      if (stage.profiler) await Promise.all(this.#started.map(running => running.kill('SIGTERM')))
      this.bell.close()
      if (existsSync(this.path('ts'))) this.ok('tsp', ['-K'], { env: this.queues })
    })
    delete this.env['POLL_INTERVAL']
  }

  /** Makes the repository that is pushed from, of these files, and a bare one that is pushed to. */
  makeCode(files: Readonly<Record<string, string>>): void {
    this.git(this.dir, 'init', '-q', '-b', 'main', this.code)
    for (const [name, text] of Object.entries(files)) {
      const path = join(this.code, name)
      mkdirSync(join(path, '..'), { recursive: true })
      writeFileSync(path, text, { mode: text.startsWith('#!') ? 0o755 : 0o644 })
    }
    this.commit()
    this.makeBare(this.bare)
  }

  makeBare(path: string): void {
    this.git(this.dir, 'clone', '-q', '--bare', this.code, path)
    this.git(path, 'config', 'receive.autogc', 'false')
  }

  #commits = 0

  commit(): string {
    writeFileSync(join(this.code, 'changed.txt'), `${++this.#commits}\n`)
    this.git(this.code, 'add', '-A')
    this.git(this.code, 'commit', '-q', '-m', 'a change')
    return this.git(this.code, 'rev-parse', 'HEAD')
  }

  /** Makes the spool. */
  init(): void {
    this.ok('bin/bass', ['init', this.spool.root])
  }

  /** Makes the spool and sets up the project. */
  initProject(archs = this.env['ARCH']!): void {
    const project = ['--project', 'hello', '--code', this.bare, '--archs', archs]
    this.ok('bin/bass', ['init', this.spool.root, ...project, '--hook'])
    this.env['BASS_RC'] = join(this.spool.root, 'conf/hello/rc')
  }

  readonly #started: Running[] = []

  override start(...args: Parameters<Sandbox['start']>): Running {
    const running = super.start(...args)
    this.#started.push(running)
    return running
  }

  /** Ends all that was started here. */
  async killAll(): Promise<void> {
    await Promise.all(this.#started.splice(0).map(running => running.kill('SIGKILL')))
  }

  maker(): Running {
    return this.start('master/bin/task-maker')
  }

  taker(slot: string): Running {
    mkdirSync(this.path(slot), { recursive: true })
    return this.start('slave/bin/task-taker', [], { cwd: slot })
  }

  /** Starts takers, and waits until they are there. */
  async takers(count: number): Promise<void> {
    for (let i = 1; i <= count; i++) this.taker(`slot-${i}`)
    const present = () =>
      this.ls('spool/takers').filter(name => this.ls('spool/takers', name).includes('alive'))
    await eventually('the takers', () => present().length === count)
    await this.#warm()
  }

  /** What programs do once when they start is over. */
  async #warm(): Promise<void> {
    await new Promise(done => setTimeout(done, 300))
  }

  async makers(): Promise<void> {
    this.maker()
    await this.#warm()
    await this.#warm()
  }

  /** Makes the directory of a task of `steps`, to be published as often as one likes. Its archives are plain, as small ones are. */
  layTask(steps: Readonly<Record<string, string>>): string {
    const [task, code, bundle] = ['template', 'task-code', 'task-steps'].map(name => this.path(name)) as [
      string,
      string,
      string,
    ]
    for (const directory of [task, code, bundle]) mkdirSync(directory)
    writeFileSync(join(code, 'hello.txt'), 'hello\n')
    for (const [name, text] of Object.entries(steps)) writeFileSync(join(bundle, name), text, { mode: 0o755 })
    for (const [part, from] of [
      ['code', code],
      ['steps', bundle],
    ] as const) {
      this.ok('tar', ['-C', from, '-cf', join(task, `${part}.tar`), '.'])
      writeFileSync(join(task, `${part}-revision.txt`), '0123456789012345678901234567890123456789\n')
      writeFileSync(join(task, `${part}-version.txt`), 'v1\n')
    }
    return task
  }

  /** Makes so many tasks of a template, and answers what publishes them: one rename each. */
  makeTasks(
    template: string,
    count: number,
    arch = this.env['ARCH']!,
  ): { names: string[]; publish: () => void } {
    const { ctr, tasks } = this.spool
    const first = takeNumbers(ctr, count)
    const names = Array.from({ length: count }, (_, i) => `${first + i}:hello:v1:${arch}`)
    for (const name of names) cloneTree(template, join(tasks.tmp, name))
    const publish = () => {
      for (const name of names) renameSync(join(tasks.tmp, name), join(tasks.cur, name))
    }
    return { names, publish }
  }

  /**
   * Waits until a directory of the spool holds so many directories, each of which is a link to it; looks each few
   * milliseconds. To list a thousand of them as often would take a tenth of what is measured.
   */
  until(directory: string, count: number): Promise<number> {
    return this.#look(directory, () => statSync(directory).nlink - 2 === count)
  }

  /** Waits until a directory holds nothing. */
  emptied(directory: string): Promise<number> {
    return this.#look(directory, () => readdirSync(directory).length === 0)
  }

  async #look(directory: string, isDone: () => boolean): Promise<number> {
    const end = performance.now() + PATIENCE
    while (!isDone()) {
      if (performance.now() > end)
        throw new Error(`${directory} is not as it should be within ${PATIENCE} ms`)
      await new Promise(done => setTimeout(done, 3))
    }
    return performance.now()
  }

  /** Waits until the log of a job's step holds something. */
  async logged(task: string, step: string): Promise<number> {
    const path = join(this.spool.jobs.cur, task, 'steps', step, 'stdout.txt')
    const end = performance.now() + 10_000
    while ((tolerating(['ENOENT'], () => statSync(path).size) ?? 0) === 0) {
      if (performance.now() > end) throw new Error(`${path} stays empty`)
      await new Promise(done => setImmediate(done))
    }
    return performance.now()
  }
}
