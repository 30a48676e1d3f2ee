// From a push to a job in a real container: which of a project, a machine and the code says where steps run.

import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import tap, { test } from 'tap'

import { lacksPodman, Podman } from '../fixtures/podman.ts'
import { Sandbox } from '../fixtures/sandbox.ts'

const skip = lacksPodman()
const podman = skip ? undefined : makePodman()

function makePodman(): Podman {
  const made = new Podman(tap, new Sandbox(tap))
  // What runs a line of a Testfile asks for bash.
  const more = { 'bin/bash': '#!/bin/sh\nexec sh "$@"\n' }
  for (const name of ['project', 'machine', 'code'])
    made.importBusybox(`${name}:1`, { name: `${name}\n`, ...more })
  return made
}

tap.setTimeout(300_000)

/** A project with a step that says which image it is in, as a file of that says, or that it is in none. */
class Shop {
  readonly sandbox: Sandbox
  readonly #conf: string

  constructor(t: ConstructorParameters<typeof Sandbox>[0]) {
    const sandbox = (this.sandbox = new Sandbox(t))
    Object.assign(sandbox.env, podman!.env, { ARCHS: 'testarch' })
    sandbox.ok('git', ['init', '-q', '--bare', '-b', 'main', 'code.git'])
    sandbox.ok('bin/bass', ['init', 'spool', '--project', 'hello', '--code', 'code.git', '--hook'])
    this.#conf = sandbox.path('spool/conf/hello/rc')
    appendFileSync(this.#conf, 'ARCHS=testarch\n')
    sandbox.ok('git', ['init', '-q', '-b', 'main', 'work'])
    mkdirSync(sandbox.path('work/.bass'))
    const step = '#!/bin/sh\ncat /name 2>/dev/null || echo none; grep -c : /proc/net/dev\n'
    writeFileSync(sandbox.path('work/.bass/a'), step, { mode: 0o755 })
    mkdirSync(sandbox.path('slot'))
  }

  /** Pushes, makes the task and runs it; answers its name. `machine` is what the slave has in its environment. */
  build(project: string, machine: Record<string, string>, image?: string): string {
    const { sandbox } = this
    const rc = readFileSync(this.#conf, 'utf8').replace(/\n# project[^]*/, '\n')
    writeFileSync(this.#conf, `${rc}# project\n${project}`)
    if (image !== undefined) writeFileSync(sandbox.path('work/.bass/image'), image)
    sandbox.git('work', 'add', '--all')
    sandbox.git('work', 'commit', '-q', '--allow-empty', '-m', 'next')
    sandbox.git('work', 'push', '-q', '../code.git', 'main')
    const maker = { BASS_RC: this.#conf, PROJ: sandbox.path('code.git') }
    const name = sandbox.ok('master/bin/task-maker', ['--once'], { env: maker })
    sandbox.ok('slave/bin/job-starter', [name], { cwd: 'slot', env: machine })
    return name
  }

  /** What its only step said. */
  said(name: string): string {
    const job = join(this.sandbox.spool.jobs.cur, name)
    const [step] = readdirSync(join(job, 'steps'))
    const text = readFileSync(join(job, 'steps', step!, 'stdout.txt'), 'utf8')
    return text.replace(/^@\S+ /gm, '')
  }

  error(name: string): string {
    return readFileSync(join(this.sandbox.spool.jobs.cur, name, 'error.txt'), 'utf8')
  }
}

test(
  'a project stands before a machine, and both before the code; a job without any of them runs here',
  { skip },
  t => {
    const shop = new Shop(t)
    const [project, machine] = ['IMAGE=project:1\n', { IMAGE: 'machine:1' }]
    const line = (text: string) => text.split('\n')[0]
    t.equal(line(shop.said(shop.build('', {}))), 'none')
    t.equal(shop.said(shop.build('', {}, 'code:1\n')), 'code\n1\n', 'with nothing but its loopback')
    t.equal(line(shop.said(shop.build('', machine))), 'machine')
    t.equal(line(shop.said(shop.build(project, machine))), 'project')
    t.equal(line(shop.said(shop.build(project, { RUN_IN: 'ssh:nowhere.invalid' }))), 'project')
    t.equal(line(shop.said(shop.build('RUN_IN=here\n', machine))), 'none')
    t.equal(line(shop.said(shop.build('', { RUN_IN: 'here' }))), 'none')

    const last = shop.build(`${project}CONTAINER_NETWORK=nothing-like-it\n`, {})
    t.match(shop.error(last), /nothing-like-it/, 'the bounds of a container travel as well')
    t.match(shop.error(shop.build('', {}, '--privileged\n')), /'--privileged' is not the name of an image/)

    // With an image alone there are no steps in `.bass/`; the lines of a Testfile run in it.
    rmSync(shop.sandbox.path('work/.bass/a'))
    writeFileSync(shop.sandbox.path('work/Testfile'), 'unit: cat /name\n')
    writeFileSync(shop.sandbox.path('work/.bass/image'), 'code:1\n')
    t.equal(shop.said(shop.build('', { LINE_TIMEOUT: '60' })), 'code\n')
    t.equal(podman!.ask('ps', '--all', '--quiet'), '')
    t.end()
  },
)

test('bass run and bass shell take a task where its project says', { skip }, t => {
  const shop = new Shop(t)
  const name = shop.build('IMAGE=project:1\n', {})
  t.match(shop.sandbox.ok('bin/bass', ['run', name]), /^== a\nproject\n1\n== success$/)
  t.end()
})
