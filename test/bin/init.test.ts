import { chmodSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { verb } from '../../bin/init.ts'
import { ROOT, Sandbox } from '../fixtures/sandbox.ts'

/** A sandbox with a bare repository, and what `bass init` does there: as a program, or in this process. */
function start(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  sandbox.ok('git', ['init', '-q', '--bare', 'hello.git'])
  Object.assign(process.env, { BASS_ROOT: ROOT, ARCH: 'testarch' })
  const project = [sandbox.path('spool'), '--project', 'hello', '--code', sandbox.path('hello.git')]
  const init = async (args = project, umask = 0o022) => {
    const before = process.umask(umask)
    try {
      return await verb.main(args)
    } finally {
      process.umask(before)
    }
  }
  const mode = (...path: string[]) => (statSync(sandbox.path(...path)).mode & 0o7777).toString(8)
  return { sandbox, project, init, mode }
}

/** Every name of a tree with its mode, its content and when it was changed. */
const snapshot = (sandbox: Sandbox, dir: string) =>
  sandbox.ok('sh', ['-c', 'find "$0" -printf "%p %m %C@\\n"; find "$0" -type f -exec cksum {} +', dir])

test('init makes a spool that programs accept, and says what to type next', async t => {
  const { sandbox } = start(t)
  const { code, stdout, stderr } = sandbox.run('bin/bass', ['init', 'spool'])
  t.same([code, stderr], [0, ''])
  const spool = sandbox.path('spool')
  const bass = `${ROOT}/bin/bass`
  t.equal(stdout, `${bass} init ${spool} --project NAME --code REPO --hook\n${bass} up ${spool}\n`)
  const env = { PATH: `${ROOT}/bin:${sandbox.env['PATH']!}` }
  t.match(
    sandbox.ok('bin/bass', ['init', 'spool'], { env }),
    /^bass init .*\nbass up [^\n]*$/,
    'in PATH it has a name',
  )
  t.same(sandbox.ls('spool'), ['conf', 'jobs', 'pause', 'revs', 'takers', 'tasks'])
  t.same(sandbox.ls('spool/tasks'), ['ctr', 'cur', 'old', 'tmp'])
  t.same(sandbox.ls('spool/jobs'), ['cur', 'old', 'tmp'])
  t.same(sandbox.ls('spool/tasks/ctr'), ['0'])
})

test('the directories are for a group as umask allows, the settings for their owner alone', async t => {
  const { init, mode } = start(t)
  await init(undefined, 0o002)
  t.equal(mode('spool'), '3775', 'nobody can move away what another one made')
  for (const path of ['tasks', 'tasks/cur', 'tasks/ctr', 'jobs/tmp', 'revs', 'revs/hello', 'pause']) {
    t.equal(mode('spool', path), '2775', path)
  }
  for (const path of ['conf', 'conf/hello']) t.equal(mode('spool', path), '755', path)
  for (const path of ['conf/rc', 'conf/hello/rc']) t.equal(mode('spool', path), '644', path)
})

test('with a strict umask nothing is for others', async t => {
  const { init, mode } = start(t)
  await init(undefined, 0o077)
  t.same([mode('spool'), mode('spool/tasks/cur'), mode('spool/conf/rc')], ['3700', '2700', '600'])
})

test('run again, it changes nothing', async t => {
  const { sandbox, project, init } = start(t)
  await init([...project, '--hook'])
  chmodSync(sandbox.path('spool/tasks'), 0o700)
  writeFileSync(sandbox.path('spool/conf/hello/rc'), 'SETTLE=1\n')
  sandbox.ok('mv', ['spool/tasks/ctr/0', 'spool/tasks/ctr/17'])
  const before = snapshot(sandbox, '.')
  t.equal(await init([...project, '--hook']), 0)
  t.equal(snapshot(sandbox, '.'), before)
})

test('several at a time make one spool', async t => {
  const { sandbox, project } = start(t)
  const all = Array.from({ length: 4 }, () => sandbox.start('bin/bass', ['init', ...project]).ended)
  for (const { code, stderr } of await Promise.all(all)) t.same([code, stderr], [0, ''])
  t.same(sandbox.ls('spool/tasks/ctr'), ['0'])
})

test('run again, it adds what is missing', async t => {
  const { sandbox, init } = start(t)
  await init([sandbox.path('spool')])
  rmdirSync(sandbox.path('spool/jobs/tmp'))
  await init()
  t.same(sandbox.ls('spool/jobs'), ['cur', 'old', 'tmp'])
  t.same(sandbox.ls('spool/conf'), ['hello', 'rc'])
  t.same(sandbox.ls('spool/revs'), ['hello'])
})

test('where tasks are but no counter, none is made: a person is told which', async t => {
  const { sandbox, init } = start(t)
  await init()
  const ctr = sandbox.path('spool/tasks/ctr')
  rmdirSync(join(ctr, '0'))
  mkdirSync(sandbox.path('spool/jobs/old/41:hello:v1:testarch'))
  mkdirSync(sandbox.path('spool/tasks/cur/7:hello:v1:testarch'))
  await t.rejects(init(), {
    exitCode: 100,
    message: `unable to make a counter in '${ctr}': there are tasks already; if 41 was the last, type 'mkdir ${ctr}/41'`,
  })
  t.same(sandbox.ls('spool/tasks/ctr'), [])
})

test('the settings of a project lead to its spool, wherever that is mounted', async t => {
  const { sandbox, project, init } = start(t)
  sandbox.ok('git', ['init', '-q', "it's steps"])
  await init([...project, '--steps', sandbox.path("it's steps"), '--archs', 'a-1 b-2:host'])
  sandbox.ok('mv', ['spool', 'mounted elsewhere'])
  const spool = sandbox.path('mounted elsewhere')
  const print = '. "$BASS_ROOT/lib/rc"; printf "%s\\n" "$SPOOL" "${REVS-}" "${PROJ-}" "${STEPS-}" "${ARCHS-}"'
  const show = (rc: string) =>
    sandbox
      .ok('dash', ['-euc', print], {
        env: { BASS_ROOT: ROOT, BASS_RC: join(spool, 'conf', rc), SPOOL: undefined },
      })
      .split('\n')
  t.same(show('hello/rc'), [
    spool,
    join(spool, 'revs/hello'),
    sandbox.path('hello.git'),
    sandbox.path("it's steps"),
    'a-1 b-2:host',
  ])
  t.same(show('rc'), [spool])
})

test('without --archs a project is for this architecture', async t => {
  const { sandbox, init } = start(t)
  await init()
  t.match(readFileSync(sandbox.path('spool/conf/hello/rc'), 'utf8'), '\nARCHS=testarch\n')
})

test('the hook goes where there is none, and says where events go', async t => {
  const { sandbox, project, init, mode } = start(t)
  await init([...project, '--hook'])
  t.equal(sandbox.git(sandbox.path('hello.git'), 'config', 'bass.revs'), sandbox.path('spool/revs/hello'))
  t.equal(mode('hello.git/hooks/post-receive'), '755')
  t.equal(mode('hello.git/hooks/bass-work-off'), '644')
  for (const file of ['hooks/post-receive', 'hooks/bass-work-off']) {
    t.equal(
      readFileSync(sandbox.path('hello.git', file), 'utf8'),
      readFileSync(join(ROOT, file), 'utf8'),
      file,
    )
  }
})

test('without --hook the commands that install it are printed, and work', async t => {
  const { sandbox, project, init } = start(t)
  const { stdout } = sandbox.run('bin/bass', ['init', ...project])
  t.notOk(sandbox.ls('hello.git/hooks').includes('post-receive'))
  sandbox.ok('sh', ['-ec', stdout.replace(/.*bass up .*/, '')])
  const installed = snapshot(sandbox, 'hello.git')
  t.equal(await init([...project, '--hook']), 0, 'then there is nothing left to do')
  t.equal(snapshot(sandbox, 'hello.git'), installed)
})

test('a hook, a bass.revs or a core.hooksPath of somebody else is left alone and named', async t => {
  const { sandbox, project, init } = start(t)
  const hook = sandbox.path('hello.git/hooks/post-receive')
  const config = (...args: string[]) => sandbox.git(sandbox.path('hello.git'), 'config', ...args)
  const refused = (message: RegExp) => t.rejects(init([...project, '--hook']), { exitCode: 100, message })
  writeFileSync(hook, '#!/bin/sh\n')
  await refused(/it has another post-receive/)
  t.equal(readFileSync(hook, 'utf8'), '#!/bin/sh\n')
  config('bass.revs', '/other')
  await refused(/its bass.revs is '\/other'/)
  config('--unset', 'bass.revs')
  config('core.hooksPath', sandbox.path('all'))
  await refused(/its core.hooksPath is/)
  t.same(sandbox.ls('all'), [])
})

test('wrong arguments end with 100 and one sentence, and make nothing', async t => {
  const { sandbox, project, init } = start(t)
  const spool = sandbox.path('spool')
  for (const [args, why] of [
    [[], 'an argument is missing'],
    [[''], 'an argument is empty'],
    [[spool, 'more'], "'more' is one argument too many"],
    [[spool, '--hook'], '--hook is for a project'],
    [[spool, '--project', 'hello'], "--code must name the repository of 'hello'"],
    [[spool, '--project', 'a:b', '--code', 'hello.git'], "'a:b' cannot be the name of a project"],
    [[...project, '--archs', 'x y/z'], "'y/z' is neither ARCH nor ARCH:HOST"],
    [[...project, '--archs', ' '], '--archs names nothing'],
    [[spool, '--frob'], "there is no option '--frob'"],
  ] as const) {
    await t.rejects(init([...args]), { exitCode: 100, message: why }, why)
  }
  t.same(sandbox.ls('spool'), [])
})

test('a project that is set up of something else is left alone, and says so', async t => {
  const { sandbox, project, init } = start(t)
  for (const name of ['other.git', 'steps.git']) sandbox.ok('git', ['init', '-q', '--bare', name])
  await init([...project, '--steps', sandbox.path('steps.git')])
  sandbox.ok('ln', ['-s', 'hello.git', 'same.git'])
  const before = snapshot(sandbox, 'spool')
  const given = (code: string, ...more: string[]) =>
    init([sandbox.path('spool'), '--project', 'hello', '--code', sandbox.path(code), ...more])
  const refused = (setting: string, standing: string, wanted: string) => ({
    exitCode: 100,
    message: `unable to set up 'hello' with '${wanted}': it has ${setting}=${sandbox.path(standing)}; give this one another name, or change '${sandbox.path('spool/conf/hello/rc')}'`,
  })
  await t.rejects(given('other.git'), refused('PROJ', 'hello.git', sandbox.path('other.git')))
  const steps = ['--steps', sandbox.path('other.git')]
  await t.rejects(given('hello.git', ...steps), refused('STEPS', 'steps.git', sandbox.path('other.git')))
  const forge = ['--project', 'hello', '--forge', 'github:o/r']
  const mirror = sandbox.path('spool/mirrors/hello.git')
  await t.rejects(init([sandbox.path('spool'), ...forge]), refused('PROJ', 'hello.git', mirror))
  t.equal(snapshot(sandbox, 'spool'), before)
  t.equal(await given('same.git'), 0, 'another path to the same repository')
})

test('a repository or a directory that is not there is named', async t => {
  const { sandbox, init } = start(t)
  const spool = sandbox.path('spool')
  await t.rejects(init([spool, '--project', 'p', '--code', sandbox.path('none.git')]), {
    exitCode: 100,
    message: /^unable to use the repository '.*none.git': cannot change to /,
  })
  await t.rejects(init([sandbox.path('no/such/place')]), {
    exitCode: 100,
    message: /^unable to make the directory '.*no\/such\/place': no such file or directory$/,
  })
})
