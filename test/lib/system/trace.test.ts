import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { ROOT, Sandbox } from '../../fixtures/sandbox.ts'

interface Traced {
  readonly ph: string
  readonly name: string
  readonly pid: number
  readonly ts: number
  readonly args: { readonly what: string }
}

/** The array has no end, so that anyone may append. */
const read = (sandbox: Sandbox): Traced[] =>
  JSON.parse(readFileSync(sandbox.path('trace'), 'utf8').replace(/,\n$/, ']')) as Traced[]

const trace = (text: string) => `require('${ROOT}/dist/lib/system/trace.js').${text}`

test('what several programs append at once is one trace, and no line of it is lost or torn', async t => {
  const sandbox = new Sandbox(t)
  const many = `for (let i = 0; i < 500; i++) ${trace("trace('state', 'x'.repeat(5000))")}`
  const running = [1, 2, 3].map(() =>
    sandbox.start('node', ['-e', many], { env: { BASS_TRACE: sandbox.path('trace') } }),
  )
  for (const { ended } of running) t.equal((await ended).stderr, '')
  const events = read(sandbox)
  for (const { pid } of running) {
    t.equal(events.filter(event => event.pid === pid && event.ph === 'i').length, 500)
    t.equal(events.filter(event => event.pid === pid && event.ph === 'M').length, 1)
  }
  const longest = Math.max(
    ...readFileSync(sandbox.path('trace'), 'utf8')
      .split('\n')
      .map(line => line.length),
  )
  t.ok(longest < 4096, `${longest} bytes`)
  t.same(sandbox.ls(), ['jobtmp', 'trace'], 'nothing else is left')
})

test('without the setting nothing is written, and a file that cannot be stops no program', async t => {
  const sandbox = new Sandbox(t)
  const once = ['-e', trace("trace('state', 'what')")]
  t.same(sandbox.run('node', once), { code: 0, signal: null, stdout: '', stderr: '' })
  t.same(sandbox.ls(), ['jobtmp'])
  const { code, stderr } = sandbox.run('node', once, { env: { BASS_TRACE: '/none/trace' } })
  t.same(
    [code, stderr],
    [0, "bass: warning: unable to trace into '/none/trace': no such file or directory\n"],
  )
})

test('a disk that is full stops the trace, and nothing else', async t => {
  const sandbox = new Sandbox(t)
  symlinkSync('/dev/full', sandbox.path('full'))
  const many = ['-e', `for (let i = 0; i < 3; i++) ${trace("trace('state', 'what')")}; console.log('done')`]
  const { code, stdout, stderr } = sandbox.run('node', many, { env: { BASS_TRACE: sandbox.path('full') } })
  t.same([code, stdout], [0, 'done\n'])
  t.equal(stderr, `bass: warning: unable to trace into '${sandbox.path('full')}': no space left on device\n`)
})

test('a push leaves a trace of every state that it goes through, in their order', async t => {
  const sandbox = new Sandbox(t)
  const env = { BASS_TRACE: sandbox.path('trace') }
  sandbox.git(sandbox.dir, 'init', '-q', '-b', 'main', 'code')
  sandbox.ok('sh', ['-ec', 'mkdir .bass; printf "#!/bin/sh\necho x\n" >.bass/1; chmod +x .bass/1'], {
    cwd: 'code',
  })
  sandbox.git(sandbox.path('code'), 'add', '-A')
  sandbox.git(sandbox.path('code'), 'commit', '-q', '-m', 'a step')
  sandbox.git(sandbox.dir, 'clone', '-q', '--bare', 'code', 'hello.git')
  sandbox.ok('bin/bass', ['init', sandbox.spool.root, '--project', 'hello', '--code', 'hello.git', '--hook'])
  sandbox.ok('git', ['push', '-q', '../hello.git', 'HEAD:refs/heads/new'], { cwd: 'code', env })
  const rc = { ...env, BASS_RC: join(sandbox.spool.root, 'conf/hello/rc') }
  const task = sandbox.ok('master/bin/task-maker', ['--once'], { env: rc })
  sandbox.ok('slave/bin/job-starter', [task], { env })
  sandbox.ok('master/bin/reaper', ['--once'], { env: { ...env, SETTLE: '0' } })

  const states = read(sandbox)
    .filter(event => event.ph === 'i')
    .sort((a, b) => a.ts - b.ts)
    .map(event => event.name)
  const hook = ['hook', 'E0', 'hook']
  const maker = ['E1', 'packed', 'packed', 'bundled', 'E2', 'E3', 'E4']
  const slave = ['T2', 'T3', 'unpacked', 'step started', 'step ended', 'T4', 'T5']
  // A short step may be over before its output is read.
  const line = states.splice(states.indexOf('first line'), 1)
  t.same(line, ['first line'])
  t.same(states, [...hook, ...maker, ...slave, 'T6'])
})
