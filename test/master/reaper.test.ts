import fs, { mkdirSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { claim } from '../../lib/spool/claim.ts'
import { token } from '../../lib/system/durable.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import { giveVerdict, makeJob, newOwner, verdictOf } from '../../lib/spool/job.ts'
import { retriedAs } from '../../lib/spool/retry.ts'
import { askCancel } from '../../lib/view/wishes.ts'
import { Rounds } from '../../master/reap/rounds.ts'
import { readReaperSettings } from '../../master/reap/settings.ts'
import { eventually, lacks, Sandbox } from '../fixtures/sandbox.ts'

const X = '1:hello:v1:testarch'
const AGAIN = '2:hello:v1:testarch'
const QUICK = { LOST_AFTER: '1', POLL_INTERVAL: '0.05', SETTLE: '0' }

/** Until the times of directories that were changed are set again. */
const settled = () => new Promise(done => setTimeout(done, 150))

/** A spool with one waiting task, and verbs for what may become of it. */
class Scene extends Sandbox {
  readonly task: string

  constructor(t: ConstructorParameters<typeof Sandbox>[0]) {
    super(t)
    this.makeSpool()
    renameSync(join(this.spool.ctr, '0'), join(this.spool.ctr, '1'))
    this.task = join(this.spool.tasks.cur, X)
    mkdirSync(this.task)
    writeFileSync(join(this.task, 'code.tar'), 'code')
  }

  claim(): string {
    return claim(this.spool, X, newOwner('elsewhere', '/slot', token()))!
  }

  reap(env: Record<string, string> = {}) {
    return this.start('master/bin/reaper', [], { env: { ...QUICK, ...env } })
  }

  /** A reaper's rounds in this process. */
  rounds(): Rounds {
    const env = { ...this.env, ...QUICK, SWEEP_AFTER: '1d', RETENTION: '30d', LOST_TRIES: '3', HOST: 'here' }
    return new Rounds(this.spool, readReaperSettings(env))
  }
}

test('a job whose slave shows no sign of life is lost, and its task published again', async t => {
  const scene = new Scene(t)
  const job = scene.claim()
  const reaper = scene.reap({ SETTLE: '600' })
  await eventually('the retry', () => scene.ls('spool/tasks/cur').includes(AGAIN))
  await eventually('the archive', () => scene.ls('spool/tasks/old').includes(X))
  t.equal(verdictOf(job), 'lost')
  t.equal(retriedAs(job), AGAIN)
  t.match(scene.ok('cat', [join(job, 'error.txt')]), 'The slave on elsewhere gave no sign of life')
  t.same((await reaper.kill('SIGTERM')).code, 0)
  t.equal(reaper.stdout(), '')
})

test('a job whose slave is alive is left alone, for as long as it takes', async t => {
  const scene = new Scene(t)
  const job = scene.claim()
  const beat = setInterval(() => utimesSync(join(job, 'alive'), new Date(), new Date()), 100)
  t.teardown(() => clearInterval(beat))
  scene.reap()
  await new Promise(done => setTimeout(done, 3000))
  t.equal(verdictOf(job), undefined)
  t.same(scene.ls('spool/tasks/cur'), [X])
})

/** What a test needs whose file system stops writing. */
const lacksFreezing = () =>
  lacks('mkfs.ext4', 'fsfreeze', 'losetup') || (process.getuid!() !== 0 && 'needs root')

test('a disk that hangs a little longer than LOST_AFTER loses no job', { skip: lacksFreezing() }, async t => {
  const scene = new Scene(t)
  const job = scene.claim()
  const [image, spool] = [scene.path('image'), scene.spool.root]
  scene.ok('mkfs.ext4', ['-q', '-d', spool, image, '16M'])
  scene.ok('mount', ['-o', 'loop', image, spool])
  t.teardown(() => scene.ok('umount', ['-l', spool]))
  const beat = setInterval(() => utimesSync(join(job, 'alive'), new Date(), new Date()), 50)
  const reaper = scene.reap({ LOST_AFTER: '2', SETTLE: '600' })
  await new Promise(done => setTimeout(done, 1000))
  clearInterval(beat)
  // The owner is not the first who is answered when the disk goes on.
  const script = 'fsfreeze -f "$0"; sleep 2.1; fsfreeze -u "$0"; sleep 0.3; touch "$1"'
  await scene.start('sh', ['-c', script, spool, join(job, 'alive')]).ended
  await new Promise(done => setTimeout(done, 500))
  t.equal(verdictOf(job), undefined)
  t.equal(reaper.stderr(), '')
  await eventually('the end, for it is silent from then on', () => verdictOf(job) === 'lost')
})

test('a waiting task that somebody cancelled ends as cancelled, without running', async t => {
  const scene = new Scene(t)
  writeFileSync(join(scene.task, 'cancel'), '')
  scene.reap({ SETTLE: '600' })
  await eventually('the archive', () => scene.ls('spool/tasks/old').includes(X))
  t.equal(verdictOf(join(scene.spool.jobs.cur, X)), 'cancelled')
  t.same(scene.ls('spool/tasks/cur'), [])
})

test('among many waiting tasks a cancel is seen at once where tasks/cur tells of it, else in turn', async t => {
  const scene = new Scene(t)
  const names = Array.from({ length: 300 }, (_, i) => `${i + 2}:hello:v1:other` as const)
  for (const name of names) mkdirSync(join(scene.spool.tasks.cur, name))
  const rounds = scene.rounds()
  const looksUntilGone = (name: string) => {
    let looks = 0
    for (; looks < 20 && scene.ls('spool/tasks/cur').includes(name); looks++) rounds.look()
    return looks
  }
  rounds.look()
  writeFileSync(join(scene.spool.tasks.cur, names[250]!, 'cancel'), '')
  const looks = looksUntilGone(names[250]!)
  t.ok(looks > 1 && looks < 10, `touched by hand: ${looks} looks`)
  await settled()
  rounds.look()
  t.equal(askCancel(scene.spool, names[150]!), undefined)
  await settled()
  t.equal(looksUntilGone(names[150]!), 1)
})

test('what comes after many rounds in which nothing changed is seen in the next', async t => {
  const scene = new Scene(t)
  const { cur, old } = scene.spool.tasks
  const rounds = scene.rounds()
  for (let i = 0; i < 3; i++) {
    rounds.look()
    await settled()
  }
  const name = '2:hello:v1:other'
  mkdirSync(join(cur, name))
  writeFileSync(join(cur, name, 'cancel'), '')
  rounds.look()
  t.ok(listIfThere(old).includes(name), 'a task')
  writeFileSync(join(scene.task, 'cancel'), '')
  for (let i = 0; i < 3; i++) {
    await settled()
    rounds.look()
  }
  t.same(listIfThere(cur), [], 'and a cancel in one that was there')
})

test('the times of all directories that are polled are set, so that NFSv3 clients see what is in them', async t => {
  const scene = new Scene(t)
  const { tasks, jobs, revs } = scene.spool
  const polled = [
    tasks.cur,
    tasks.tmp,
    jobs.cur,
    jobs.tmp,
    revs,
    join(revs, 'hello'),
    join(revs, 'hello/main'),
  ]
  mkdirSync(join(revs, 'hello/main'))
  for (const directory of polled) utimesSync(directory, 0, 0)
  scene.rounds().look()
  t.same(
    polled.filter(directory => statSync(directory).mtimeMs === 0),
    [],
  )
})

test('what is over is archived: its task at once, its job after SETTLE', async t => {
  const scene = new Scene(t)
  giveVerdict(scene.claim(), 'failure')
  scene.reap({ SETTLE: '1' })
  await eventually('the task', () => scene.ls('spool/tasks/old').includes(X))
  t.same(scene.ls('spool/jobs/cur'), [X])
  await eventually('the job', () => scene.ls('spool/jobs/old').includes(X))
  t.same(scene.ls('spool/jobs/cur'), [])
  t.same(scene.ls('spool/tasks/cur'), [])
})

test('a claim whose taker died before it showed the job is shown', async t => {
  const scene = new Scene(t)
  const owner = newOwner('elsewhere', '/slot', token())
  makeJob(join(scene.spool.jobs.tmp, `${X}.${owner.token}`), owner)
  scene.ok('ln', [join(scene.spool.jobs.tmp, `${X}.${owner.token}`, 'owner.txt'), join(scene.task, 'claim')])
  scene.reap({ LOST_AFTER: '600' })
  await eventually('the job', () => scene.ls('spool/jobs/cur').includes(X))
  t.same(scene.ls('spool/jobs/tmp'), [])
})

test('the job of a claim that came second is swept, that of a task still waiting is not', async t => {
  const scene = new Scene(t)
  mkdirSync(join(scene.spool.tasks.cur, AGAIN))
  const [second, early] = [newOwner('elsewhere', '/slot', token()), newOwner('elsewhere', '/slot', token())]
  scene.claim()
  makeJob(join(scene.spool.jobs.tmp, `${X}.${second.token}`), second)
  makeJob(join(scene.spool.jobs.tmp, `${AGAIN}.${early.token}`), early)
  scene.reap({ LOST_AFTER: '600' })
  await eventually('the sweep', () => scene.ls('spool/jobs/tmp').length === 1)
  t.same(scene.ls('spool/jobs/tmp'), [`${AGAIN}.${early.token}`])
})

test('a finished clone is published as the job that it retries says', async t => {
  const scene = new Scene(t)
  const job = scene.claim()
  giveVerdict(job, 'lost')
  renameSync(join(scene.spool.ctr, '1'), join(scene.spool.ctr, '3'))
  for (const clone of [AGAIN, '3:hello:v1:testarch']) {
    mkdirSync(join(scene.spool.tasks.tmp, clone))
    writeFileSync(join(scene.spool.tasks.tmp, clone, 'retry-of.txt'), `${X} lost 1\n`)
  }
  scene.reap({ SETTLE: '600' })
  await eventually('both to be decided', () => scene.ls('spool/tasks/tmp').length === 0)
  await eventually('the archive', () => scene.ls('spool/tasks/old').includes(X))
  t.same(scene.ls('spool/tasks/cur'), [retriedAs(job)])
})

test('what is not understood is reported once and left where it is', async t => {
  const scene = new Scene(t)
  const odd = ['x', '01:hello:v1:testarch', '1:he llo:v1:testarch', '7:a:b']
  for (const name of odd) {
    mkdirSync(join(scene.spool.tasks.cur, name))
    mkdirSync(join(scene.spool.jobs.cur, name))
    mkdirSync(join(scene.spool.jobs.tmp, name))
  }
  giveVerdict(scene.claim(), 'success')
  const reaper = scene.reap()
  await eventually('the others to go on', () => scene.ls('spool/jobs/old').includes(X))
  await reaper.kill('SIGTERM')
  t.same(scene.ls('spool/tasks/cur'), odd.sort())
  t.same(scene.ls('spool/jobs/cur'), odd)
  for (const name of odd) {
    const said = reaper
      .stderr()
      .split('\n')
      .filter(line => line.includes(`${join(scene.spool.tasks.cur, name)}'`))
    t.equal(said.length, 1, name)
  }
})

test('what was left half-made in tasks/tmp is swept when nothing in it changes for SWEEP_AFTER', async t => {
  const scene = new Scene(t)
  const { tmp } = scene.spool.tasks
  for (const name of [':hello:v1:', '4:hello:v1:testarch', '.5:hello:v1:testarch.0123456789abcdef']) {
    mkdirSync(join(tmp, name))
    writeFileSync(join(tmp, name, 'code.tar'), '')
  }
  writeFileSync(join(tmp, '.new.0123456789abcdef'), 'half')
  for (const name of ['.bundles', 'mine', '.hello.00.11']) mkdirSync(join(tmp, name))
  const growing = setInterval(
    () => writeFileSync(join(tmp, ':hello:v1:', 'code.tar'), 'x', { flag: 'a' }),
    50,
  )
  t.teardown(() => clearInterval(growing))
  scene.reap({ SWEEP_AFTER: '1' })
  await eventually('the sweep', () => scene.ls('spool/tasks/tmp').length === 4, 40)
  t.same(scene.ls('spool/tasks/tmp').sort(), ['.bundles', '.hello.00.11', ':hello:v1:', 'mine'])
})

test('a name that was swept and not deleted to the end is deleted again', async t => {
  const scene = new Scene(t)
  mkdirSync(join(scene.spool.jobs.old, '.dead-0123456789abcdef/deep'), { recursive: true })
  t.equal(scene.run('master/bin/reaper', ['--once'], { env: QUICK }).code, 0)
  t.same(scene.ls('spool/jobs/old'), [])
})

test('what ended longer ago than RETENTION is deleted, task and job', async t => {
  const scene = new Scene(t)
  giveVerdict(scene.claim(), 'success')
  const reaper = scene.reap()
  await eventually('the job', () => scene.ls('spool/jobs/old').includes(X))
  await reaper.kill('SIGTERM')
  scene.run('master/bin/reaper', ['--once'], { env: { ...QUICK, RETENTION: '1d' } })
  t.same(scene.ls('spool/jobs/old'), [X], 'not yet')
  const longAgo = new Date(Date.now() - 2 * 86_400_000)
  utimesSync(join(scene.spool.jobs.old, X, 'result.txt'), longAgo, longAgo)
  scene.run('master/bin/reaper', ['--once'], { env: { ...QUICK, RETENTION: '1d' } })
  t.same([scene.ls('spool/jobs/old'), scene.ls('spool/tasks/old')], [[], []])
})

test('RETENTION is by the clock that gives files their times, whatever ours says', t => {
  const scene = new Scene(t)
  const DAY = 86_400_000
  const [YOUNG, OLD] = ['7:hello:v7:testarch', '8:hello:v8:testarch']
  for (const [name, age] of [
    [YOUNG, 1],
    [OLD, 40],
  ] as const) {
    mkdirSync(join(scene.spool.tasks.old, name))
    mkdirSync(join(scene.spool.jobs.old, name))
    const result = join(scene.spool.jobs.old, name, 'result.txt')
    writeFileSync(result, 'success\n')
    const ended = new Date(Date.now() - age * DAY)
    utimesSync(result, ended, ended)
  }
  const { now } = Date
  t.teardown(() => (Date.now = now))
  // Ours is far behind, then far ahead.
  for (const ahead of [-60, 60]) {
    Date.now = () => now() + ahead * DAY
    const rounds = scene.rounds()
    rounds.look()
    t.same([scene.ls('spool/jobs/old'), scene.ls('spool/tasks/old')], [[YOUNG], [YOUNG]], String(ahead))
  }
  t.end()
})

test('a spool that is none is refused in one sentence', async t => {
  const sandbox = new Sandbox(t)
  const ended = sandbox.run('master/bin/reaper')
  t.equal(ended.code, 111)
  t.match(
    ended.stderr,
    /^reaper: fatal: unable to use the spool's '.*\/tasks\/tmp': no such directory; .*\n$/,
  )
})

test('a spool that is away is said once, each time that it goes, and so is that it is back', async t => {
  const scene = new Scene(t)
  scene.claim()
  const reaper = scene.reap()
  await eventually('its first work', () => scene.ls('spool/tasks/cur').includes(AGAIN))
  const said = () =>
    reaper
      .stderr()
      .replaceAll(scene.dir, '')
      .split('\n')
      .filter(line => line.includes('look'))
  for (const times of [1, 2]) {
    renameSync(scene.path('spool'), scene.path('away'))
    await eventually('it is missed', () => said().length === 2 * times - 1)
    // Many rounds.
    await new Promise(done => setTimeout(done, 500))
    renameSync(scene.path('away'), scene.path('spool'))
    await eventually('it is found', () => said().length === 2 * times)
  }
  const once = [
    /^reaper: warning: unable to look through '\/spool': .*no such .*directory/,
    "reaper: info: looking through '/spool' again",
  ]
  t.match(said(), [...once, ...once])
  t.equal((await reaper.kill('SIGTERM')).code, 0)
})

test('a cancel that comes while the reaper sets the times of directories is seen by its next look', t => {
  const scene = new Scene(t)
  const { spool } = scene
  // Many more than are looked into where nothing has changed.
  for (let n = 100; n < 400; n++) mkdirSync(join(spool.tasks.cur, `${n}:hello:v1:testarch`))
  const rounds = scene.rounds()
  const name = '390:hello:v1:testarch'
  const { readdirSync } = fs
  t.teardown(() => Object.assign(fs, { readdirSync }))
  let asked = false
  Object.assign(fs, {
    readdirSync: (path: string, ...options: never[]) => {
      if (path === spool.revs && !asked) {
        asked = true
        writeFileSync(join(spool.tasks.cur, name, 'cancel'), '')
        utimesSync(spool.tasks.cur, 1, 1)
      }
      return readdirSync(path, ...options)
    },
  })
  rounds.look()
  t.ok(asked)
  t.ok(scene.ls('spool/tasks/cur').includes(name))
  rounds.look()
  t.notOk(scene.ls('spool/tasks/cur').includes(name))
  t.end()
})
