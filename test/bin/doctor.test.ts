import { chmodSync, mkdirSync, rmdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { buildFault, FAULT_NEEDS, FaultState } from '../fixtures/fault.ts'
import { lacks, ROOT, Sandbox } from '../fixtures/sandbox.ts'
import { SpoolMaker } from '../fixtures/spool-maker.ts'
import type { Finding } from '../../bin/doctor/finding.ts'
import { self } from '../../lib/system/process.ts'

type T = ConstructorParameters<typeof Sandbox>[0]
type Env = Record<string, string | undefined>

/** A spool with a project, and what the doctor finds in it. */
function make(t: T) {
  const sandbox = new Sandbox(t)
  sandbox.ok('git', ['init', '-q', '--bare', 'hello.git'])
  const init = ['init', 'spool', '--project', 'hello', '--code', 'hello.git', '--archs', 'testarch']
  sandbox.ok('bin/bass', init)
  const maker = new SpoolMaker(sandbox.spool)

  /** A taker that beats until the test is over, its clock `ahead` of ours, in milliseconds. */
  const taker = (facts: { host: string; boot?: string; arch?: string; slot?: string }, ahead = 0) => {
    const { boot = `boot of ${facts.host}`, ...others } = facts
    const card = maker.taker({ arch: 'testarch', ...others })
    sandbox.ok('sed', ['-i', `s/^boot=.*/boot=${boot}/`, join(card, 'about.txt')])
    const timer = setInterval(() => {
      const time = new Date(Date.now() + ahead)
      utimesSync(join(card, 'alive'), time, time)
    }, 200)
    t.teardown(() => clearInterval(timer))
  }
  const doctor = async (env: Env = {}, argv = ['--json']) =>
    await sandbox.start('bin/bass', ['doctor', ...argv], { env }).ended
  const parse = (stdout: string) => JSON.parse(stdout) as { ok: boolean; findings: Finding[] }
  /** What is wrong, by check and subject. */
  const wrong = async (env: Env = {}) => {
    const { findings } = parse((await doctor(env)).stdout)
    return findings.filter(finding => !finding.ok)
  }
  /** As seen after the commands of `script` in a mount namespace. */
  const wrongMounted = (script: string) => {
    const command = [
      '-Urm',
      'sh',
      '-c',
      `${script} || exit 77; exec "$0" doctor --json`,
      join(ROOT, 'bin/bass'),
    ]
    return parse(sandbox.run('unshare', command).stdout).findings.filter(finding => !finding.ok)
  }
  return { sandbox, maker, taker, doctor, parse, wrong, wrongMounted }
}

test('where all is well each line says ok, and the exit code is 0', async t => {
  const { sandbox, taker, doctor } = make(t)
  taker({ host: 'testhost', boot: self().boot })
  const before = sandbox.ok('find', ['spool'])
  const { code, stdout, stderr } = await doctor({}, [])
  t.equal(stderr, '')
  t.same(
    stdout.split('\n').filter(line => !line.startsWith('ok     ')),
    [''],
  )
  for (const line of [
    'ok     setting POLL_INTERVAL: 0.2 (the environment)',
    `ok     atomic ${sandbox.path('spool/tasks/tmp')}: rename, link and fsync do what is needed`,
    'ok     arch testarch: 1 taker',
    'ok     event hello: none waits',
  ])
    t.ok(stdout.includes(`${line}\n`), line)
  t.equal(code, 0)
  t.equal(sandbox.ok('find', ['spool']), before, 'it leaves nothing')
})

test('for programs it is one object, whose shape stays', async t => {
  const { doctor, parse } = make(t)
  const { code, stdout } = await doctor()
  t.equal(code, 1, 'nobody takes testarch')
  const { ok, findings, ...more } = parse(stdout)
  t.same([ok, more], [false, {}])
  const checks = new Set<string>()
  for (const finding of findings) {
    t.same(Object.keys(finding), ['check', 'subject', 'ok', 'text', 'fix'])
    t.equal(finding.fix === null, finding.ok, finding.subject)
    checks.add(finding.check)
  }
  const all = 'setting program place file-system atomic directory host-name clock arch event repository hook'
  t.same([...checks], all.split(' '))
})

test('each setting says where it is from, and one that cannot be read is found', async t => {
  const { sandbox, doctor, parse } = make(t)
  const rc = sandbox.path('spool/conf/rc')
  writeFileSync(rc, 'LOST_AFTER=60\nSETTLE=soon\n: "${LOST_TRIES:=7}"\n')
  const { findings } = parse(
    (await doctor({ LOST_TRIES: '8', SETTLE: undefined, REPORTER_TOKEN: 'very-secret-words' })).stdout,
  )
  const settings = new Map(findings.flatMap(f => (f.check === 'setting' ? [[f.subject, f]] : [])))
  const table: Record<string, string> = {
    SPOOL: `${sandbox.spool.root} (the environment)`,
    TASKS: `${sandbox.spool.root}/tasks (default)`,
    BASS_RC: `${rc} (by SPOOL)`,
    ARCH: 'testarch (the environment)',
    LOST_AFTER: `60 (${rc})`,
    LOST_TRIES: '8 (the environment)',
    EVENT_TRIES: '5 (default)',
    REPORTER_TOKEN: '*** (the environment)',
  }
  for (const [name, text] of Object.entries(table)) t.equal(settings.get(name)?.text, text, name)
  t.match(settings.get('SETTLE'), { ok: false, text: /'soon' is not a time/, fix: `change it in ${rc}` })
})

test('a secret of a host without a spool is looked at', async t => {
  const { sandbox, wrong } = make(t)
  const WORKER_SECRET_FILE = sandbox.path('key')
  writeFileSync(WORKER_SECRET_FILE, 'x', { mode: 0o644 })
  t.match(await wrong({ SPOOL: undefined, WORKER_SECRET_FILE }), [
    { check: 'secret', subject: WORKER_SECRET_FILE, fix: `chmod o= ${WORKER_SECRET_FILE}` },
  ])
})

test('what programs are missing that are needed', async t => {
  const { sandbox, wrong } = make(t)
  mkdirSync(sandbox.path('path'))
  for (const name of ['sh', 'readlink', 'uname']) {
    symlinkSync(sandbox.ok('sh', ['-c', `command -v ${name}`]), sandbox.path('path', name))
  }
  symlinkSync(process.execPath, sandbox.path('path/node'))
  // A settings file, because what starts the doctor here must be found as well.
  writeFileSync(sandbox.path('rc'), `PATH='${sandbox.path('path')}'\n`)
  const run = async (env: Env) => {
    const found = await wrong({ ...env, BASS_RC: sandbox.path('rc') })
    return found.flatMap(({ check, subject, fix }) => (check === 'program' ? [[subject, fix]] : []))
  }
  t.same(await run({ COMPRESSOR: 'node -e process.stdin.pipe(process.stdout)' }), [])
  t.same(await run({ COMPRESSOR: 'gzip -1', PROJ: '/code', JOB_TMUX: 'yes' }), [
    ['git', 'apt-get install git'],
    ['tmux', 'apt-get install tmux'],
    ['COMPRESSOR gzip -1', 'apt-get install gzip, or unset COMPRESSOR'],
  ])
})

test('what cannot be written, or is not there, or is open to others', { skip: lacks('unshare') }, async t => {
  const { sandbox, wrong, wrongMounted } = make(t)
  const directories = (found: Finding[]) =>
    found.flatMap(({ check, subject, text, fix }) => (check === 'directory' ? [[subject, text, fix]] : []))
  const at = (name: string) => sandbox.path('spool', name)
  const readOnly = 'mount --bind spool/jobs/cur spool/jobs/cur && mount -o remount,bind,ro spool/jobs/cur'
  t.same(
    directories(wrongMounted(readOnly)).map(([path, text]) => [path, text]),
    [[at('jobs/cur'), 'it cannot be written: read-only file system']],
  )
  rmdirSync(at('takers'))
  chmodSync(at('conf/hello/rc'), 0o666)
  t.same(directories(await wrong({ JOBTMP: '/none' })), [
    [at('takers'), 'it is not there', `bass init ${sandbox.spool.root}`],
    ['/none', 'it is not there', 'mkdir -p /none'],
    [at('conf/hello/rc'), 'others can write what is run as sh', `chmod go-w ${at('conf/hello/rc')}`],
  ])
})

test('a spool on two file systems, or on one that is read-only', { skip: lacks('unshare') }, async t => {
  const { sandbox, wrongMounted } = make(t)
  const systems = (script: string) =>
    wrongMounted(script).flatMap(({ check, subject, text }) =>
      check === 'file-system' ? [[subject, text]] : [],
    )
  const at = (name: string) => sandbox.path('spool', name)
  t.same(systems('mount -t tmpfs none spool/jobs/old'), [
    [at('jobs/old'), `it is not on the file system of ${at('tasks/cur')}`],
  ])
  const [[subject, text] = []] = systems('mount --bind spool spool && mount -o remount,bind,ro spool')
  t.equal(subject, sandbox.spool.root)
  t.match(text, /: it is read-only$/)
})

test('a file system that cannot link or fsync', { skip: lacks(...FAULT_NEEDS) }, async t => {
  const { sandbox } = make(t)
  const library = buildFault(sandbox.dir)
  let runs = 0
  const run = (fault?: string) => {
    const state = new FaultState(library, sandbox.path(`state-${runs++}`))
    const env = state.environment(sandbox.spool.tasks.tmp, join(ROOT, 'dist/bin/bass.js'), fault)
    const { stdout } = sandbox.run('bin/bass', ['doctor', '--json'], { env })
    const { findings } = JSON.parse(stdout) as { findings: Finding[] }
    return { state, wrong: findings.filter(({ check, ok }) => check === 'atomic' && !ok) }
  }
  const { state, wrong } = run()
  t.same(wrong, [])
  for (const kind of ['link', 'fsync', 'rename']) {
    const operation = state.operations().find(operation => operation.kind === kind)
    const [finding] = run(`${operation!.k}:EIO`).wrong
    t.match(finding, { subject: sandbox.spool.tasks.tmp, text: /i\/o error/ }, kind)
  }
  t.same(sandbox.ls('spool/tasks/tmp'), [], 'it leaves nothing')
})

test('two hosts with one name, clocks that differ, and takers that are gone', async t => {
  const { taker, maker, wrong } = make(t)
  taker({ host: 'testhost', boot: 'of another' })
  taker({ host: 'early' }, 60_000)
  taker({ host: 'late' }, -3_600_000)
  taker({ host: 'right' }, 1000)
  taker({ host: 'twin', boot: 'one', slot: '/1' })
  taker({ host: 'twin', boot: 'two', slot: '/2' })
  maker.taker({ host: 'gone', beat: Date.now() })
  const found = await wrong()
  t.same(found.map(({ check, subject }) => `${check} ${subject}`).sort(), [
    'clock early',
    'clock late',
    'host-name testhost',
    'host-name twin',
  ])
  const text = (subject: string) => found.find(finding => finding.subject === subject)?.text
  t.match(text('early'), /^it is (59|60) s ahead of ours/)
  t.match(text('late'), /^it is 360\d s behind ours/)
  t.match(text('twin'), /^2 hosts have this name/)
})

test('an architecture that nobody takes, of a project or of a task that waits', async t => {
  const { sandbox, maker, taker, wrong } = make(t)
  taker({ host: 'h1' })
  maker.waitingTask('7:hello:1.0:testarch')
  maker.waitingTask('8:hello:1.0:testarch:h2')
  sandbox.ok('sed', ['-i', "s/^ARCHS=.*/ARCHS='testarch vax'/", 'spool/conf/hello/rc'])
  const archs = (await wrong()).filter(({ check }) => check === 'arch')
  t.same(
    archs.map(({ subject, fix }) => [subject, fix]),
    [
      ['vax', 'start slave/bin/task-taker on such a machine, or take vax out of the ARCHS of hello'],
      ['testarch:h2', 'start slave/bin/task-taker on h2, or take testarch:h2 out of the ARCHS of hello'],
    ],
  )
})

test('events that nobody makes into tasks, and those that could not be', async t => {
  const { sandbox, taker, wrong } = make(t)
  taker({ host: 'h1' })
  const revs = sandbox.path('spool/revs')
  const event = (path: string, age: number) => {
    mkdirSync(join(revs, path, '..'), { recursive: true })
    writeFileSync(join(revs, path), '')
    const time = new Date(Date.now() - age)
    utimesSync(join(revs, path), time, time)
  }
  event('hello/refs/heads/main/0123', 10_000)
  t.same(await wrong(), [], 'a fresh one is nothing')
  event('.making/hello/T/refs/heads/main/4567', 3_600_000)
  event('.failed/hello/T/names', 0)
  t.same(
    (await wrong()).map(({ subject, text, fix }) => [subject, text, fix]),
    [
      [
        'hello',
        '2 events wait, the oldest came 1 h ago: no task-maker takes them',
        `BASS_RC=${sandbox.path('spool/conf/hello/rc')} master/bin/task-maker`,
      ],
      ['hello', '1 event could not be made into tasks', `grep . ${revs}/.failed/hello/*/names`],
    ],
  )
})
