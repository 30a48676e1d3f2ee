import { appendFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { ignoringENOENT, tolerating } from '../../lib/base/errno.ts'
import { processesWith } from '../../lib/system/process.ts'
import { eventually, lacks, Sandbox } from '../fixtures/sandbox.ts'

type T = ConstructorParameters<typeof Sandbox>[0]

/** A project whose one step is `script`, its spool, and `bass up` on it; MARK is in the environment of all it starts. */
function start(
  t: T,
  script: string,
  env: Record<string, string> = {},
  prepare: (sandbox: Sandbox) => void = () => undefined,
) {
  const sandbox = new Sandbox(t)
  sandbox.ok('git', ['init', '-q', '--bare', 'hello.git'])
  sandbox.ok('bin/bass', ['init', 'spool', '--project', 'hello', '--code', 'hello.git', '--hook'])
  sandbox.ok('sh', [
    '-ec',
    `git init -q work; mkdir work/.bass; printf '#!/bin/sh\\n%s\\n' "$0" >work/.bass/1; chmod +x work/.bass/1`,
    script,
  ])
  const work = sandbox.path('work')
  const push = () => {
    sandbox.git(work, 'add', '.')
    sandbox.git(work, 'commit', '-q', '--allow-empty', '-m', 'x')
    sandbox.git(work, 'push', '-q', '../hello.git', 'HEAD:refs/heads/main')
  }
  prepare(sandbox)
  const up = sandbox.start('bin/bass', ['up', 'spool', '--takers', '2'], {
    env: { SPOOL: undefined, MARK: sandbox.dir, ...env },
  })
  const processes = () => processesWith(`MARK=${sandbox.dir}`)
  const verdicts = () =>
    sandbox
      .ls('spool/jobs/cur')
      .filter(name => readdirSync(sandbox.path('spool/jobs/cur', name)).includes('result.txt'))
  return { sandbox, push, up, processes, verdicts }
}

// One that has just ended is of no command.
const commandOf = (pid: number) =>
  tolerating(['ENOENT', 'ESRCH'], () => readFileSync(`/proc/${pid}/cmdline`, 'utf8')) ?? ''

test('what is pushed is run, and TERM stops everything', async t => {
  const { sandbox, push, up, processes, verdicts } = start(t, 'true')
  push()
  await eventually('a verdict', () => verdicts().length === 1, 60)
  t.ok(processes().length >= 4)
  t.match(sandbox.run('bin/bass', ['up', 'spool']), {
    code: 111,
    stderr: /another 'bass up' does so on this host/,
  })
  t.notOk(processes().some(pid => commandOf(pid).includes('/master/notifier.js')))
  const { code, stderr } = await up.kill('SIGTERM')
  t.same([code, stderr], [0, ''])
  t.same(processes(), [])
})

test('where somebody is to be told, they are told', async t => {
  const { sandbox, push, up } = start(t, 'exit 1', {}, sandbox => {
    sandbox.ok('mkdir', ['spool/conf/hello/notify.d'])
    const script = `#!/bin/sh\necho $BASS_STAGE $BASS_VERDICT >>${sandbox.path('told')}\n`
    writeFileSync(sandbox.path('spool/conf/hello/notify.d/log'), script, { mode: 0o755 })
  })
  await eventually('the notifier', () => up.stdout().includes('tells of hello'), 60)
  push()
  const told = () => ignoringENOENT(() => readFileSync(sandbox.path('told'), 'utf8'))
  await eventually('they are told', () => told()?.endsWith('\n'), 60)
  t.equal(told(), 'over failure\n')
  t.equal((await up.kill('SIGTERM')).code, 0)
})

test('a program that dies is started again, and each line says who', async t => {
  const { up, processes } = start(t, 'true')
  const reaper = await eventually(
    'the reaper',
    () => processes().find(pid => commandOf(pid).includes('/master/reaper.js')),
    60,
  )
  process.kill(reaper, 'SIGKILL')
  await eventually(
    'its return',
    () => /^reaper +\| ended by SIGKILL; started again in 1 s$/m.test(up.stdout()),
    60,
  )
  t.equal((await up.kill('SIGINT')).code, 0)
})

test(
  'when it is killed itself, with a job running, its programs stop too',
  { skip: lacks('setpriv') },
  async t => {
    const { sandbox, push, up, processes } = start(t, 'sleep 600')
    push()
    await eventually(
      'a running step',
      () => sandbox.ls('spool/jobs/cur').some(name => sandbox.ls('spool/jobs/cur', name, 'steps').length > 0),
      60,
    )
    await up.kill('SIGKILL')
    await eventually('their end', () => processes().length === 0, 60)
  },
)

test('with --web the pages are served as well', async t => {
  const sandbox = new Sandbox(t)
  sandbox.ok('bin/bass', ['init', 'spool'])
  const up = sandbox.start('bin/bass', ['up', 'spool', '--takers', '1', '--web'], {
    env: { REPORTER_LISTEN: '127.0.0.1:0' },
  })
  const url = await eventually('the pages', () => /http:\/\/127[\d.:]+/.exec(up.stdout())?.[0])
  t.equal((await fetch(`${url}/healthz`)).status, 200)
  t.equal((await up.kill('SIGTERM')).code, 0)
})

test('settings are followed: a project that is added is served, and what is changed counts from the next task on', async t => {
  const { sandbox, push, up, verdicts } = start(t, 'echo "$BASS_ARCH $MARKED"; sleep 2')
  const rc = sandbox.path('spool/conf/rc')
  await eventually('a taker', () => sandbox.ls('spool/takers').length === 2, 60)
  push()
  await eventually('a running step', () => sandbox.ls('spool/jobs/cur').length === 1, 60)
  const said = (text: string | RegExp) => eventually(String(text), () => up.stdout().match(text), 60)
  appendFileSync(rc, 'export MARKED=yes\nSTEP_ENV=MARKED\nLOST_TRIES=5\n')
  for (const name of ['task-taker 1', 'task-taker 2', 'reaper', 'task-maker hello'])
    await said(new RegExp(`^${name} +\\| ended with 0; started again with other settings$`, 'm'))
  t.equal(verdicts().length, 1, 'the job went on to its end')
  push()
  await eventually('two verdicts', () => verdicts().length === 2, 60)
  const log = (num: number) => sandbox.ok('bin/bass', ['log', String(num)])
  t.notMatch(log(1), 'testarch yes')
  t.match(log(2), 'testarch yes')

  sandbox.ok('git', ['clone', '-q', '--bare', 'hello.git', 'other.git'])
  const added = sandbox.run('bin/bass', ['init', 'spool', '--project', 'other', '--code', 'other.git'])
  t.match(added, { code: 0, stderr: /^bass: info: 'bass up' runs '.*' already, and takes up/ })
  t.notMatch(added.stdout, / up /, 'what need not be typed is not printed')
  sandbox.ok('bin/bass', ['event', 'other', 'main'])
  await eventually('a third verdict', () => verdicts().length === 3, 60)

  writeFileSync(sandbox.path('spool/conf/other/rc'), 'if\n')
  await said(
    /^up +\| the programs go on with the settings that they have: unable to read the settings of '.*other\/rc'/m,
  )
  rmSync(sandbox.path('spool/conf/other'), { recursive: true })
  await said(/^task-maker other \| not wanted any more$/m)
  t.equal((await up.kill('SIGTERM')).code, 0)
})

test('what is no spool is refused with 100', async t => {
  const sandbox = new Sandbox(t)
  const { code, stderr } = sandbox.run('bin/bass', ['up', 'none'], { env: { SPOOL: undefined } })
  t.equal(code, 100)
  t.equal(
    stderr,
    `bass: fatal: unable to use the spool '${sandbox.path('none')}': there is none; 'bass init DIR' makes one\n`,
  )
  t.equal(sandbox.run('bin/bass', ['up', '.', '--takers', 'x']).code, 100)
  t.equal(
    sandbox.run('bin/bass', ['up'], { env: { SPOOL: undefined } }).stderr,
    'bass: fatal: unable to read the setting SPOOL: it is not set\n',
  )
})
