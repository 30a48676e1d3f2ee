import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { verb } from '../../bin/service.ts'
import { call } from '../fixtures/in-process.ts'
import { eventually, lacks, ROOT, Sandbox } from '../fixtures/sandbox.ts'

function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  const directory = sandbox.path('services')
  mkdirSync(directory)
  sandbox.makeSpool()
  const add = (...argv: string[]) =>
    call(verb, ['add', directory, ...argv], { ...sandbox.env, BASS_ROOT: ROOT })
  const read = (path: string) => readFileSync(`${directory}/${path}`, 'utf8')
  return { sandbox, directory, add, read }
}

test('it may be run again, with more slots too, and prints what is new', async t => {
  const { sandbox, directory, add } = make(t)
  const slots = (...numbers: number[]) => numbers.map(n => `${directory}/bass-task-taker-${n}\n`).join('')
  t.match(await add('--slots', '2'), { code: 0, stdout: slots(1, 2), stderr: '' })
  const before = sandbox.ok('sh', ['-c', 'ls -lR --full-time services'])
  t.match(await add('--slots', '2'), { code: 0, stdout: '', stderr: '' })
  t.equal(sandbox.ok('sh', ['-c', 'ls -lR --full-time services']), before)
  t.match(await add('--slots', '3', '--reaper'), { stdout: `${directory}/bass-reaper\n${slots(3)}` })
})

test('what a person has changed stays, and a warning says what to do', async t => {
  const { directory, add, read } = make(t)
  await add('--reaper')
  const run = `${directory}/bass-reaper/run`
  const ours = read('bass-reaper/run')
  writeFileSync(run, '#!/bin/sh\nmine\n')
  const { code, stdout } = await add('--reaper', '--slots', '1')
  t.same([code, stdout], [0, `${directory}/bass-task-taker-1\n`])
  t.equal(read('bass-reaper/run'), '#!/bin/sh\nmine\n')

  renameSync(run, `${run}.mine`)
  await add('--reaper')
  t.equal(read('bass-reaper/run'), ours)
})

test('the warning names the file', async t => {
  const { sandbox } = make(t)
  mkdirSync(sandbox.path('units'))
  const add = ['service', 'add', 'units', '--systemd', '--reaper']
  t.equal(sandbox.run('bin/bass', [...add, '--user', 'root']).stderr, '')
  t.match(sandbox.run('bin/bass', [...add, '--user', 'nobody']), {
    code: 0,
    stderr: `bass: warning: unable to renew '${sandbox.path('units/bass-reaper.service')}': it was changed, or`,
  })
})

test('nobody ever sees half a service', async t => {
  const { sandbox, directory } = make(t)
  const adding = sandbox.start('bin/bass', ['service', 'add', directory, '--slots', '300'])
  let over = false
  void adding.ended.then(() => (over = true))
  const whole = (name: string) =>
    sandbox.ls('services', name).join(' ') === 'log run' &&
    sandbox.ls('services', name, 'log').join() === 'run'
  let looks = 0
  await eventually('the end', () => {
    const half = sandbox.ls('services').filter(name => !name.startsWith('.') && !whole(name))
    if (half.length > 0) throw new Error(`half: ${half.join(' ')}`)
    looks++
    return over
  })
  t.ok(looks > 3, `${looks} looks`)
  t.equal(sandbox.ls('services').length, 300)
})

test('paths and names stand in scripts and units as they are', async t => {
  const { sandbox, directory, add, read } = make(t)
  sandbox.ok('bin/bass', ['init', 'spool', '--project', 'hello', '--code', ROOT])
  await add('--project', 'hello', '--slots', '1', '--state', "/var/it's mine", '--user', 'nobody')
  t.match(read('bass-task-maker-hello/run'), `\nBASS=${ROOT}\nSPOOL=${sandbox.spool.root}\nPROJECT=hello\n`)
  t.match(read('bass-task-taker-1/run'), "\nSLOT='/var/it'\\''s mine/1'\n")
  t.match(read('bass-task-taker-1/run'), '\nRUN_AS=nobody\n')

  mkdirSync(sandbox.path('a b/tasks'), { recursive: true })
  const odd = { ...sandbox.env, BASS_ROOT: ROOT, SPOOL: sandbox.path('a b') }
  t.match(await call(verb, ['add', directory, '--systemd', '--reaper'], odd), {
    code: 100,
    stderr: `unable to write '${sandbox.path('a b')}' into a unit: it has odd characters`,
  })
})

test('what makes no sense is refused, and nothing is made', async t => {
  const { sandbox, add } = make(t)
  const table: [string[], string][] = [
    [[], 'must say what to run'],
    [['--slots', '0'], '--slots wants a number'],
    [['--project', 'none'], "the projects of this spool are none; 'bass init "],
    [['--project', '../x'], 'unable to find the project'],
    [['--reaper', '--user', 'a;b'], 'cannot be the name of a user'],
    [['--reaper', '--user', 'nosuch'], "unable to run services as 'nosuch': there is no such user; 'useradd"],
    [['--slots', '1', '--systemd', '--state', '/x'], '--state is for the others'],
  ]
  for (const [argv, why] of table) {
    const { code, stderr } = await add(...argv)
    t.equal(code, 100, argv.join(' '))
    t.match(stderr, why)
  }
  t.same(sandbox.ls('services'), [])
})

test('a directory or a spool that is not there is refused, and not made', async t => {
  const { sandbox, add } = make(t)
  const env = { ...sandbox.env, BASS_ROOT: ROOT }
  const typo = sandbox.path('servcies')
  const { code, stderr } = await call(verb, ['add', typo, '--reaper'], env)
  t.equal(code, 100)
  t.match(stderr, `unable to add services to '${typo}': there is no such directory`)
  t.match(stderr, `'mkdir -p ${typo}' makes it`)
  t.notOk(sandbox.ls('.').includes('servcies'))
  sandbox.ok('rm', ['-r', 'spool'])
  t.match(await add('--reaper'), { code: 100, stderr: `unable to use the spool '${sandbox.spool.root}'` })
  t.same(sandbox.ls('services'), [])
})

test(
  'a service for a user runs as that user',
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async t => {
    const { sandbox, directory, add } = make(t)
    chmodSync(sandbox.dir, 0o755)
    await add('--slots', '1', '--user', 'nobody', '--state', sandbox.path('slots'))
    // Our own tree need not be open to that user.
    mkdirSync(sandbox.path('slave/bin'), { recursive: true })
    const taker = '#!/bin/sh\nid -un; echo "$HOME"; ls -ld "$PWD"\n'
    writeFileSync(sandbox.path('slave/bin/task-taker'), taker, { mode: 0o755 })
    const run = `${directory}/bass-task-taker-1/run`
    sandbox.ok('sed', ['-i', `s|^BASS=.*|BASS=${sandbox.dir}|`, run])
    // As a supervisor may have it.
    const strictly = ['-c', 'umask 077; exec "$@"', 'sh', run, 'an argument, as s6 gives one']
    t.match(sandbox.ok('sh', strictly), /^nobody\n\/nonexistent\nd.* nobody /)
  },
)

test(
  'a spool that the user of a service may not write is said at once, with what mends it',
  { skip: process.getuid?.() === 0 ? lacks('setpriv') : 'needs root' },
  t => {
    const { sandbox, directory } = make(t)
    chmodSync(sandbox.dir, 0o755)
    const add = (...more: string[]) => sandbox.run('bin/bass', ['service', 'add', directory, ...more])
    t.match(add('--reaper', '--user', 'root'), { code: 0, stderr: '' })
    const { code, stderr } = add('--slots', '1', '--user', 'nobody')
    t.equal(code, 0)
    t.match(stderr, `unable to write '${sandbox.spool.tasks.cur}': nobody may not; type 'find `)
    sandbox.ok('sh', ['-c', /type '(find .*)'/.exec(stderr)![1]!])
    t.match(add('--slots', '2', '--user', 'nobody'), { code: 0, stderr: '' })
    t.end()
  },
)

test('those of a farm need no spool, and read their settings from one file', async t => {
  const { sandbox, directory, read } = make(t)
  mkdirSync(sandbox.path('units'))
  const add = ['service', 'add', directory, '--farmer', '--workers', '2', '--state', '/data']
  const env = { SPOOL: undefined, BASS_RC: sandbox.path('rc') }
  writeFileSync(sandbox.path('rc'), '')
  t.equal(
    sandbox.ok('bin/bass', add, { env }),
    ['farmer', 'worker-1', 'worker-2'].map(name => `${directory}/bass-${name}`).join('\n'),
  )
  t.match(read('bass-farmer/run'), new RegExp(`^BASS_RC=${sandbox.path('rc')}$`, 'm'))
  t.match(read('bass-worker-2/run'), /^SLOT=\/data\/worker-2$/m)
  const units = sandbox.ok(
    'bin/bass',
    ['service', 'add', 'units', '--systemd', '--farmer', '--workers', '1'],
    { env },
  )
  t.match(units, /enable --now bass-farmer bass-worker@1$/)
  t.match(
    readFileSync(sandbox.path('units/bass-farmer.service'), 'utf8'),
    `Environment=BASS_RC=${sandbox.path('rc')}`,
  )
  t.match(
    sandbox.run('bin/bass', [...add.slice(0, 3), '--reaper'], { env: { SPOOL: undefined } }).stderr,
    /SPOOL/,
  )
  t.match(
    sandbox.run('bin/bass', [...add.slice(0, 3), '--workers', 'x'], { env }).stderr,
    /--workers wants a number/,
  )
})
