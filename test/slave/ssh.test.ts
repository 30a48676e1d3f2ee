// Steps and commands on another machine, which is this one behind a real sshd.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import tap, { test } from 'tap'

import { conform, conformBriefly, isLong, napTime, running } from '../fixtures/conformance.ts'
import { eventually, lacks, Sandbox } from '../fixtures/sandbox.ts'
import { Shop } from '../fixtures/shop.ts'
import { cutConnections, lacksSshd, startSshd } from '../fixtures/sshd.ts'
import { StepsFixture } from '../fixtures/steps.ts'
import { sitAtShell } from '../fixtures/terminal.ts'

const skip = lacksSshd()
const settings: Record<string, string> = { RUN_IN: 'ssh:box', EXEC_KEEP: '1h' }
const machine = new Sandbox(tap)

tap.setTimeout(600_000)

tap.before(async () => {
  if (skip) return
  Object.assign(settings, await startSshd(tap, machine))
  // What runs in this very process reads it from there.
  Object.assign(process.env, settings, { HOST: 'testhost', BUNDLE_MAX: '10M', RUN_IN: '' })
})

const ask = isLong ? conform : conformBriefly
ask('ssh', settings, skip)

test('the code goes there, and artifacts come back', { skip }, async t => {
  const f = new StepsFixture(
    new Sandbox(t),
    { a: 'cat file; pwd; echo made > "$BASS_ARTIFACTS/made"; echo kept > "$BASS_CACHE/kept"' },
    settings,
  )
  writeFileSync(`${f.work}/code/file`, 'content\n')
  t.same(await f.run(), { verdict: 'success' })
  t.match(f.said('a'), /^content\n.*\/its cache\/bass\/run-\w+\/content\/code\n$/)
  t.equal(f.read('artifacts', 'made'), 'made\n')
  t.equal(readFileSync(`${f.work}/cache/kept`, 'utf8'), 'kept\n')
  t.match(machine.ls('ssh/its cache/bass').join(), /^executor-[0-9a-f]{20}$/, 'only the executor stays there')
})

test(
  'where STEP_USER is set, RUN_IN names the user there; STEP_PROCS counts there too',
  { skip },
  async t => {
    const run = (RUN_IN: string) => {
      const steps = { a: 'id -u; grep processes /proc/self/limits' }
      const f = new StepsFixture(new Sandbox(t), steps, {
        ...settings,
        RUN_IN,
        STEP_USER: 'nobody',
        STEP_PROCS: '777',
      })
      return { f, outcome: f.run() }
    }
    await t.rejects(run('ssh:box').outcome, {
      exitCode: 100,
      message: "unable to run steps on 'box' as 'nobody'",
      cause: 'there they are whom ssh logs in as: name that user, as in RUN_IN=ssh:USER@box',
    })
    const { f, outcome } = run('ssh:root@box')
    t.same(await outcome, { verdict: 'success' })
    t.match(f.said('a'), /^0\n.* 777 +777 /)
  },
)

test('bass exec runs there, and what is killed here ends there', { skip }, async t => {
  const sandbox = new Sandbox(t)
  const temporary = sandbox.path('temporary')
  const env = { ...settings, RUN_IN: undefined, TMPDIR: temporary }
  sandbox.ok('git', ['init', '-q', 'code'])
  mkdirSync(temporary)
  for (const name of ['old', 'new', 'used']) mkdirSync(`${temporary}/bass-ssh-${name}`, { mode: 0o700 })
  writeFileSync(`${temporary}/bass-ssh-used/c`, '')
  for (const name of ['old', 'used']) utimesSync(`${temporary}/bass-ssh-${name}`, 0, 0)
  const far = (...names: string[]) => machine.path('ssh/its cache/bass', ...names)
  for (const name of ['executor-old', 'executor-new', 'run-dead', 'run-live', 'run-elsewhere'])
    mkdirSync(far(name), { recursive: true })
  for (const [name, pid, host] of [
    ['dead', 4194304, hostname()],
    ['live', process.pid, hostname()],
    ['elsewhere', 4194304, 'other'],
  ] as const)
    writeFileSync(far(`run-${name}/pid`), `${pid} ${host}\n`)
  utimesSync(far('executor-old'), Date.now() / 1000 - 7200, Date.now() / 1000 - 7200)
  const { code, stdout } = sandbox.run(
    'bin/bass',
    ['exec', '--ssh', 'box', '--', 'sh', '-c', 'echo hi | tee new; exit 4'],
    {
      cwd: 'code',
      env,
    },
  )
  t.same([code, stdout], [4, 'hi\n'])
  t.ok(existsSync(sandbox.path('code/new')))
  t.same(readdirSync(temporary).sort(), ['bass-ssh-new', 'bass-ssh-used'], 'what a killed one left is gone')
  const kept = readdirSync(far()).filter(name => !/-[0-9a-f]{20}$/.test(name))
  t.same(
    kept.sort(),
    ['executor-new', 'run-elsewhere', 'run-live'],
    'nor does it stay there, but for EXEC_KEEP',
  )
  for (const name of kept) rmSync(far(name), { recursive: true })
  const nap = napTime()
  const exec = sandbox.start('bin/bass', ['exec', '--ssh', 'box', '--', 'sleep', nap], { cwd: 'code', env })
  await eventually(
    'it runs',
    () => running(nap).some(pid => readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith('sleep')),
    60,
  )
  await exec.kill('SIGKILL')
  await eventually('it ended', () => running(nap).length === 0)
})

/** Prints lines for some seconds, and leaves when it is told to. */
const COUNT = 'i=0; while [ $i -lt 40 ]; do echo $i; i=$((i + 1)); sleep 0.1; done'
const counted = Array.from({ length: 40 }, (_, i) => `${i}\n`).join('')

test('what a step leaves unwritable does not stay there, whoever it is', { skip }, async t => {
  const there = new Sandbox(t)
  const rights = '-dac_override,-dac_read_search,-fowner'
  const ssh = await startSshd(t, there, ['setpriv', '--bounding-set', rights])
  const { PATH } = process.env
  t.teardown(() => Object.assign(process.env, { PATH }))
  Object.assign(process.env, ssh)
  const f = new StepsFixture(
    new Sandbox(t),
    {
      a: 'mkdir -p "$BASS_CACHE/mod/x" mod; touch mod/f; chmod -R a-w mod "$BASS_CACHE/mod"; ! touch mod/g 2>/dev/null',
    },
    { ...settings, ...ssh },
  )
  t.same(await f.run(), { verdict: 'success' })
  t.match(there.ls('ssh/its cache/bass').join(), /^executor-[0-9a-f]{20}$/)
})

test('a connection that is lost is made again: bass exec goes on where it was', { skip }, async t => {
  const sandbox = new Sandbox(t)
  sandbox.ok('git', ['init', '-q', 'code'])
  const command = ['sh', '-c', `${COUNT}; echo made >made; exit 4`]
  const exec = sandbox.start('bin/bass', ['exec', '--ssh', 'box', '--', ...command], {
    cwd: 'code',
    env: { ...settings, RUN_IN: undefined },
  })
  for (const line of ['5', '25']) {
    await eventually(`it has printed ${line}`, () => exec.stdout().includes(`\n${line}\n`), 60)
    cutConnections(machine)
  }
  t.equal((await exec.ended).code, 4)
  t.equal(exec.stdout(), counted, 'nothing twice, and nothing left out')
  t.match(
    exec.stderr(),
    /^bass: warning: the connection is lost, .*\nbass: warning: the connection is back\n/,
  )
  t.equal(readFileSync(sandbox.path('code/made'), 'utf8'), 'made\n')
  t.match(machine.ls('ssh/its cache/bass').join(), /^executor-[0-9a-f]{20}$/, 'nothing stays there')
})

test('steps go on over a connection that was lost between two of them', { skip }, async t => {
  const f = new StepsFixture(
    new Sandbox(t),
    { a: 'echo a; sleep 1', b: 'echo b >"$BASS_ARTIFACTS/b"' },
    settings,
  )
  const outcome = f.run()
  await eventually('a has begun', () => f.said('a') === 'a\n', 60)
  cutConnections(machine)
  t.same(await outcome, { verdict: 'success' })
  t.equal(f.said('a'), 'a\n')
  t.equal(f.read('artifacts', 'b'), 'b\n')
})

test(
  'who is killed when it has come back ends what it ran there, and waits for nobody',
  { skip },
  async t => {
    const sandbox = new Sandbox(t)
    sandbox.ok('git', ['init', '-q', 'code'])
    const nap = napTime()
    const exec = sandbox.start(
      'bin/bass',
      ['exec', '--ssh', 'box', '--', 'sh', '-c', `sleep ${nap} & while echo y; do :; done`],
      {
        cwd: 'code',
        env: { ...settings, RUN_IN: undefined },
      },
    )
    await eventually('it runs', () => running(nap).length === 1 && exec.stdout().length > 0, 60)
    cutConnections(machine)
    await eventually('it is back', () => exec.stderr().includes('is back'), 60)
    await exec.kill('SIGKILL')
    await eventually('it ended', () => running(nap).length === 0, 10)
    await eventually('nothing stays there', () => machine.ls('ssh/its cache/bass').length === 1, 10)
  },
)

test(
  'a project can name the machine, and bass shell opens there',
  { skip: skip || lacks('/usr/bin/python3') },
  t => {
    const shop = new Shop(t, { ...settings, RUN_IN: '' })
    const step = '#!/bin/sh\necho "$XDG_CACHE_HOME" > made; exit 3\n'
    writeFileSync(shop.sandbox.path('work/.bass/b'), step, { mode: 0o755 })
    const name = shop.build('RUN_IN=ssh:box\n', { IMAGE: 'none:1' })
    const { code, stdout } = shop.sandbox.run('bin/bass', ['shell', name], {
      input: 'pwd; "$BASS_STEP"; echo $?; cat made; exit 7\n',
    })
    t.equal(code, 7)
    t.match(
      stdout,
      new RegExp(
        `\n${machine.path('ssh/its cache')}/bass/run-\\w+/content/code\n3\n${machine.path('ssh/its cache')}\n$`,
      ),
    )
    const seen = sitAtShell(shop.sandbox, name, '$XDG_CACHE_HOME')
    t.match(seen, { code: 7, stdout: new RegExp(`said 130 ${machine.path('ssh/its cache')} vt220\\s`) })
    t.match(machine.ls('ssh/its cache/bass').join(), /^executor-[0-9a-f]{20}$/)
    t.end()
  },
)

test('bass doctor starts an executor there, and says why it cannot', { skip }, t => {
  const sandbox = new Sandbox(t)
  const place = (host: string) => {
    const env = { ...settings, SPOOL: undefined, RUN_IN: `ssh:${host}` }
    return /^.* place ssh: .*$/m.exec(sandbox.run('bin/bass', ['doctor'], { env }).stdout)?.[0]
  }
  t.match(place('box'), /^ok .* box runs steps$/)
  t.match(place('stranger'), /^WRONG .*denied.*; RUN_IN=ssh:stranger asks for it; /)
  t.end()
})

test('a machine without room, or of another kind, is one sentence', { skip }, t => {
  const sandbox = new Sandbox(t)
  sandbox.ok('git', ['init', '-q', 'code'])
  const exec = () =>
    sandbox.run('bin/bass', ['exec', '--ssh', 'box', '--', 'true'], {
      cwd: 'code',
      env: { ...settings, RUN_IN: undefined },
    })
  sandbox.ok('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', machine.path('ssh/its cache')])
  try {
    t.match(exec(), {
      code: 111,
      stderr: /^bass: fatal: unable to reach 'box': .*No space left on device\n$/,
    })
  } finally {
    sandbox.ok('umount', [machine.path('ssh/its cache')])
  }
  writeFileSync(machine.path('ssh/far/uname'), '#!/bin/sh\necho riscv64\n', { mode: 0o755 })
  try {
    t.match(exec(), {
      code: 100,
      stderr: /^bass: fatal: unable to run it on 'box': that is riscv64 .*this Linux \S+\n$/,
    })
  } finally {
    rmSync(machine.path('ssh/far/uname'))
  }
  t.equal(exec().code, 0)
  t.end()
})

test('a machine that is not there, or refuses the key, is one sentence', { skip }, async t => {
  const sandbox = new Sandbox(t)
  sandbox.ok('git', ['init', '-q', 'code'])
  const run = (host: string) =>
    sandbox.run('bin/bass', ['exec', '--ssh', host, '--', 'true'], {
      cwd: 'code',
      env: { ...settings, RUN_IN: undefined },
    })
  t.match(run('stranger'), { code: 100, stderr: /^bass: fatal: unable to reach 'stranger': .*denied.*\n$/ })
  t.match(run('nowhere.invalid'), {
    code: 111,
    stderr: /^bass: fatal: unable to reach 'nowhere.invalid': .*\n$/,
  })
  t.match(run('-oProxyCommand=x'), { code: 100 })
})
