// What becomes of jobs that do not simply end: by the server with short spans of time, a forge with real repositories, and
// runners that are played here.

import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { Played } from '../../fixtures/jci-played.ts'
import type { Given } from '../../fixtures/jci-played.ts'
import { eventually, ROOT } from '../../fixtures/sandbox.ts'

const sleep = (ms: number) => new Promise(done => setTimeout(done, ms))

test('a job whose time is over fails with nobody polling, and its credential is dead though the server was killed', async t => {
  const played = await Played.open(t, { JCI_JOB_TIMEOUT: '6' })
  const commit = played.forge.repository('hello', 'true')
  await played.push('hello', commit)
  const job = await played.got('r1')
  t.ok(await played.isAlive(job))
  played.server.child.kill('SIGKILL')
  await played.server.ended
  await sleep(6500)
  // Not even the look that ends the job is to be had, and for git the server is there at once.
  played.forge.api.fault = ({ path }) => (path.includes('/statuses') ? { status: 503 } : undefined)
  await played.start()
  t.notOk(await played.isAlive(job))
  played.forge.api.fault = () => undefined
  await played.over('failure job timed out')
  t.same(
    played.told().filter(text => !text.startsWith('pending')),
    ['failure job timed out'],
  )
  t.same(played.forge.api.lies, [])
})

test('a runner that is silent loses a job that has not begun; the old credential is dead then', async t => {
  const played = await Played.open(t)
  await played.push('hello', played.forge.repository('hello', 'true'))
  const first = await played.got('r1')
  const second = await played.got('r2')
  t.equal(second.job_id, first.job_id)
  t.notOk(await played.isAlive(first), 'the first attempt')
  t.ok(await played.isAlive(second), 'the second attempt')
  t.equal((await played.run('r1', first)).code === 0, false, 'the first runs nothing any more')
  t.same(played.forge.runs('hello'), [])
  t.equal((await played.run('r2', second)).code, 0)
  await played.over('success job completed')
})

test('what a runner says it lacks is given away at once, three times, and is lost then', async t => {
  const played = await Played.open(t)
  await played.push('hello', played.forge.repository('hello', 'true'))
  let job = await played.got('r1', [])
  for (let again = 1; again <= 3; again++) {
    const next = await played.got('r1', [])
    t.equal(next.job_id, job.job_id)
    job = next
  }
  t.equal(await played.poll('r1', [job.job_id]), null, 'it has it')
  const stop = played.keep('r1', job)
  await sleep(2500)
  stop()
  t.notOk(played.told().includes('failure job lost'), 'and keeps it')
  await played.poll('r1', [])
  await played.over('failure job lost')
  t.equal(played.told().filter(text => text === 'pending queued').length <= 4, true)
})

test('a job that has begun is not begun again; one that was killed is lost', async t => {
  const played = await Played.open(t)
  await played.push('hello', played.forge.repository('hello', 'sleep 1000'))
  const job = await played.got('old')
  const running = played.sandbox.start('node', [join(ROOT, 'dist/bin/jci/runner/job.js')], {
    input: JSON.stringify(job),
    env: { BASS_ROOT: ROOT },
  })
  await eventually('it runs', () => played.forge.runs('hello').some(run => run.endsWith(' running')), 60)
  running.child.kill('SIGKILL')
  // Longer than a silent runner is waited for. This one is of the kind that does not say what it has.
  await sleep(8000)
  t.equal(await played.poll('other'), null)
  t.same(
    played.told().filter(text => text !== 'pending queued'),
    ['pending job assigned'],
  )
  await played.poll('old', [])
  await played.over('failure job lost')
  t.notOk(await played.isAlive(job))
  await eventually('its run is ended too', () =>
    played.forge.runs('hello').every(run => run.endsWith(' err')),
  )
  t.match(played.stored('hello', 'run.output.txt'), 'result: err (its job was lost)')
  t.match(played.stored('hello', 'index.html'), '<h1>Failed</h1>')
  await eventually('nothing is left to be done', () => played.sandbox.ls('db/jobs').length === 0)
})

test('the run of a job that timed out is ended, by the next server too, and no run of another job is', async t => {
  const played = await Played.open(t, { JCI_JOB_TIMEOUT: '12' })
  const { forge, sandbox } = played
  const commit = forge.repository('hello', 'sleep 1000')
  const bare = sandbox.path('forge/o/hello.git')
  await played.push('hello', commit)
  const running = (job: Given) =>
    sandbox.start('node', [join(ROOT, 'dist/bin/jci/runner/job.js')], {
      input: JSON.stringify(job),
      env: { BASS_ROOT: ROOT },
    })
  const first = running(await played.got('r1'))
  await eventually('it runs', () => forge.runs('hello').some(run => run.endsWith(' running')), 60)
  first.child.kill('SIGKILL')
  // The forge lets no run be ended for some time; meanwhile the second job of the same commit begins.
  const onlyNew = '#!/bin/sh\nwhile read -r old rest; do case $old in *[1-9a-f]*) exit 1 ;; esac; done\n'
  writeFileSync(join(bare, 'hooks/pre-receive'), onlyNew, { mode: 0o755 })
  await played.over('failure job timed out')
  await eventually('it was tried', () => played.server.stderr().includes('unable to end the runs of the job'))
  await played.server.kill('SIGKILL')
  // The second job has time.
  played.settings['JCI_JOB_TIMEOUT'] = '600'
  await played.start()
  await played.push('hello', commit)
  const job = await played.got('r2')
  const stop = played.keep('r2', job)
  const second = running(job)
  await eventually(
    'both say so',
    () => forge.runs('hello').filter(run => run.endsWith(' running')).length === 2,
  )
  rmSync(join(bare, 'hooks/pre-receive'))
  await eventually('the first is ended', () => forge.runs('hello')[0]!.endsWith(' err'), 60)
  t.match(forge.runs('hello')[1], / running$/, 'the second is not')
  t.equal(forge.api.statuses.filter(({ state }) => state === 'failure').length, 1)
  await second.kill('SIGTERM')
  await played.over('failure job completed')
  stop()
  t.same(forge.api.lies, [])
})

test('a run that was there before does not end a job', async t => {
  const played = await Played.open(t)
  const commit = played.forge.repository('hello', 'exit 1')
  const work = played.sandbox.path('work/o/hello')
  const bare = played.sandbox.path('forge/o/hello.git')
  const old = ['-c', 'user.name=x', '-c', 'user.email=x@y']
  played.sandbox.ok('sh', ['-ec', 'echo ok >status.txt; git add status.txt'], { cwd: 'work/o/hello' })
  played.sandbox.git(work, ...old, 'commit', '-qm', 'a run')
  played.sandbox.git(work, 'push', '-q', bare, `HEAD:refs/jci-runs/${commit}/1700000000-aaaa`)
  await played.push('hello', commit)
  const job = await played.got('r1')
  const stop = played.keep('r1', job)
  await sleep(3000)
  stop()
  t.same(
    played.told().filter(text => !text.startsWith('pending')),
    [],
  )
  t.equal((await played.run('r1', job)).code, 1)
  await played.over('failure job completed')
})

test('the forge is not asked more often than is said, and seldom where a runner says what it has', async t => {
  const played = await Played.open(t)
  const { forge } = played
  await played.push('hello', forge.repository('hello', 'true'))
  const job = await played.got('r1')
  const looks: number[] = []
  forge.instead = ({ url, headers }) => {
    // Git asks without its credential first, and for more in the end.
    if (url!.includes('info/refs') && headers.authorization) looks.push(performance.now())
    return false
  }
  // A runner that is heard of, and does not say what it has.
  const heard = setInterval(() => void played.poll('r1').catch(() => undefined), 1000)
  await eventually('it was looked at', () => looks.length >= 4, 60)
  clearInterval(heard)
  const pauses = looks.slice(1).map((at, i) => at - looks[i]!)
  // One look begins git, and ends at the forge: some of them take longer.
  t.ok(looks.at(-1)! - looks[0]! >= 950 * pauses.length, `after ${pauses.map(Math.round).join(', ')} ms`)
  await played.poll('r1', [job.job_id])
  const stop = played.keep('r1', job)
  // A look may be on its way.
  await sleep(2000)
  looks.length = 0
  await sleep(3000)
  t.equal(looks.length, 0)
  forge.instead = () => false
  t.equal((await played.run('r1', job)).code, 0)
  stop()
  await played.over('success job completed')
})

test('a commit that is neither a tip nor on the default branch is tested; without anybody to be', async t => {
  const played = await Played.open(t)
  played.forge.repository('hello', 'exit 9')
  const work = played.sandbox.path('work/o/hello')
  const git = (...args: string[]) => played.sandbox.git(work, ...args)
  git('checkout', '-q', '-b', 'topic')
  const commits = ['cat "$JCI_REPO_ROOT/file"; test -z "$(git config user.name)"', 'exit 8'].map(script => {
    writeFileSync(join(work, '.jci/run.sh'), script)
    git('commit', '-qam', 'topic')
    return git('rev-parse', 'HEAD')
  })
  git('push', '-q', played.sandbox.path('forge/o/hello.git'), 'topic')
  await played.push('hello', commits[0]!)
  const job = await played.got('r1')
  const nobody = Object.fromEntries(
    ['AUTHOR', 'COMMITTER']
      .flatMap(who => [`GIT_${who}_NAME`, `GIT_${who}_EMAIL`])
      .map(name => [name, undefined]),
  )
  t.equal((await played.run('r1', job, '.', { ...nobody, HOME: '/nonexistent' })).code, 0)
  t.match(played.forge.runs('hello'), [/ ok$/])
})

test('a job that cannot fetch its commit pushes nothing, wherever it was started', async t => {
  const played = await Played.open(t)
  const { sandbox } = played
  const commit = played.forge.repository('hello', 'true')
  const bare = sandbox.path('forge/o/hello.git')
  mkdirSync(sandbox.path('innocent'))
  sandbox.git(sandbox.path('innocent'), 'init', '-q')
  sandbox.git(sandbox.path('innocent'), 'remote', 'add', 'origin', bare)
  sandbox.git(
    sandbox.path('innocent'),
    'fetch',
    '-q',
    'origin',
    `main:refs/jci-runs/${commit}/1700000000-aaaa`,
  )
  await played.push('hello', commit)
  const job = await played.got('r1')
  t.not(
    (await played.run('r1', { ...job, clone_url: job.clone_url.replace('hello', 'gone') }, 'innocent')).code,
    0,
  )
  t.not((await played.run('r1', { ...job, commit_sha: 'e'.repeat(40) }, 'innocent')).code, 0)
  t.same(played.forge.runs('hello'), [])
})

test('a commit that the forge has no more ends its job at once, with the reason', async t => {
  const played = await Played.open(t)
  played.forge.repository('hello', 'true')
  await played.push('hello', 'e'.repeat(40))
  t.not((await played.run('r1', await played.got('r1'))).code, 0)
  await played.over('failure job completed')
  t.match(
    played.stored('hello', 'run.output.txt'),
    /^result: err \(unable to fetch the commit: .*not our ref/m,
  )
})

test('a repository that is gone keeps no other job waiting', async t => {
  const played = await Played.open(t)
  await played.push('gone', 'a'.repeat(40))
  await played.push('hello', played.forge.repository('hello', 'true'))
  t.match(await played.got('r1'), { repo_name: 'hello' })
})

test('bodies without a length are bounded too', async t => {
  const played = await Played.open(t)
  const endless = new ReadableStream({
    pull: controller => controller.enqueue(new Uint8Array(1 << 20)),
  })
  const init = { method: 'POST', body: endless, duplex: 'half' } as RequestInit
  const status = await fetch(`${played.url}/webhook`, init).then(
    answer => answer.status,
    () => 'cut off',
  )
  t.ok(status === 413 || status === 'cut off', String(status))
  t.equal((await fetch(`${played.url}/poll`, { method: 'POST', body: '{' })).status, 400, 'it lives')
})
