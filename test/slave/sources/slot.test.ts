// What a slot keeps apart: a machine that fails from those that are well, and two machines that take each other's name.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { claim } from '../../../lib/spool/claim.ts'
import { readOwner, verdictOf } from '../../../lib/spool/job.ts'
import { readRetryOf, retriedAs } from '../../../lib/spool/retry.ts'
import { takersLine } from '../../../lib/view/takers-line.ts'
import { readTakers } from '../../../lib/view/takers.ts'
import { readSlaveSettings } from '../../../slave/sources/settings.ts'
import { Slot } from '../../../slave/sources/slot.ts'
import { eventually } from '../../fixtures/sandbox.ts'
import { settingsOf } from '../../fixtures/steps.ts'
import { Site } from '../../fixtures/site.ts'

/** Goes on beating in a file, as its owner would. */
function beatIn(t: ConstructorParameters<typeof Site>[0], file: string): void {
  const timer = setInterval(() => utimesSync(file, new Date(), new Date()), 200)
  t.teardown(() => {
    clearInterval(timer)
  })
}

const OTHER = { host: 'testhost', boot: 'another-boot', pid: 1, start: '1', namespace: 'another' }

test('a machine that cannot run jobs leaves them to others, and status says why', async t => {
  const site = new Site(t)
  writeFileSync(site.path('file'), '')
  const sick = site.taker('sick', { JOBTMP: site.path('file/below') })
  await eventually('its words', () => sick.stderr() !== '')
  const names = [1, 2, 3].map(() => site.publish({ a: 'true' }))
  t.match(
    sick.stderr(),
    /^task-taker: warning: unable to take tasks: JOBTMP cannot be written: not a directory \(.*\)\n$/,
  )
  const takers = readTakers(site.spool, [], 60_000)
  t.match(
    takersLine(takers, 'taker', Date.now()),
    /^1 taker: 1 idle; testhost .*sick: JOBTMP cannot be written/,
  )
  t.same(site.ls('spool/jobs/cur'), [])
  site.taker('well')
  const machines = () => readTakers(site.spool, [], 60_000).map(({ machine }) => machine)
  await eventually('how the machine fares', () => machines().every(machine => machine !== null))
  for (const machine of machines())
    t.ok(machine!.cpus > 0 && machine!.load >= 0 && machine!.diskFree <= machine!.diskSize, 'of this machine')
  for (const name of names) t.equal(await site.verdict(name), 'success')
})

test('what fails through the fault of its machine is done again, and does not count as an attempt', async t => {
  const site = new Site(t)
  const path = process.env['PATH']!
  mkdirSync(site.path('bin'))
  const script = `#!/bin/sh\nif [ -e '${site.path('short')}' ]; then echo 'fork failed: Resource temporarily unavailable' >&2; exit 1; fi\nPATH='${path}' exec unshare "$@"\n`
  writeFileSync(site.path('bin/unshare'), script, { mode: 0o755 })
  const env = { PATH: `${site.path('bin')}:${path}`, ISOLATE: 'pid', LOST_TRIES: '1' }
  const taker = site.taker('slot', env)
  await eventually('the taker', () => site.ls('spool/takers').length > 0)
  // What a step leaves behind makes the next one need another namespace.
  await site.verdict(site.publish({ a: 'setsid sleep 60 >/dev/null 2>&1 &' }))
  writeFileSync(site.path('short'), '')
  let name = site.publish({ a: 'echo ran' })
  for (let i = 0; i < 2; i++) {
    t.equal(await site.verdict(name), 'lost')
    name = await eventually('its retry', () => retriedAs(site.job(name)))
    const { cur, old } = site.spool.tasks
    const read = () => readRetryOf(join(cur, name)) ?? readRetryOf(join(old, name))
    const retry = await eventually('what it is a retry of', read)
    t.match(retry, { cause: 'fault', tries: 0 })
  }
  site.ok('rm', ['short'])
  while ((await site.verdict(name)) === 'lost') name = retriedAs(site.job(name))!
  t.equal(verdictOf(site.job(name)), 'success')
  t.match(taker.stderr(), /unable to take tasks: unable to make a pid namespace/)
})

test('what was lost in a slot is run in another one, as long as there is one', async t => {
  const site = new Site(t)
  const name = site.publish({
    a: `[ -e '${site.path('ran')}' ] || { touch '${site.path('ran')}'; sleep 60; }`,
  })
  const first = site.taker('first')
  await eventually('the step', () => existsSync(site.path('ran')))
  await first.kill('SIGKILL')
  site.taker('second')
  await eventually('the other', () => site.ls('spool/takers').length === 2)
  site.taker('first')
  t.equal(await site.verdict(name), 'lost')
  const retry = await eventually('its retry', () => retriedAs(site.job(name)))
  t.equal(await site.verdict(retry), 'success')
  t.equal(readOwner(site.job(retry))?.slot, site.path('second'))
})

test('another machine of our name keeps its slot and its jobs, and we say so', async t => {
  const site = new Site(t)
  mkdirSync(site.path('slot'))
  const name = site.publish({ a: 'true' })
  const job = claim(site.spool, name, { ...OTHER, slot: site.path('slot'), token: '0123456789abcdef' })!
  beatIn(t, join(job, 'alive'))
  const before = site.taker('slot')
  await eventually('the taker', () => site.ls('spool/takers').length > 0)
  const next = site.publish({ a: 'true' })
  t.equal(await site.verdict(next), 'success')
  t.equal(verdictOf(job), undefined, 'the job of the other goes on')
  await before.kill()

  const card = join(site.spool.takers, site.ls('spool/takers')[0]!)
  const about = readFileSync(join(card, 'about.txt'), 'utf8')
  writeFileSync(join(card, 'about.txt'), about.replace(/boot=.*/, `boot=${OTHER.boot}`))
  writeFileSync(join(card, 'alive'), '')
  beatIn(t, join(card, 'alive'))
  const { code, stderr } = await site.taker('slot').ended
  t.equal(code, 111)
  t.match(stderr, /another machine of that name \(boot id another-boot\) has a task-taker there/)
})

test('a cancel that came while its taker was told to stop is a cancel', async t => {
  const site = new Site(t)
  const taker = site.taker()
  const name = site.publish({ a: `touch '${site.path('ran')}'; sleep 60` })
  await eventually('the step', () => existsSync(site.path('ran')))
  writeFileSync(join(site.spool.tasks.cur, name, 'cancel'), '')
  await taker.kill('SIGTERM')
  t.equal(verdictOf(site.job(name)), 'cancelled')
  t.same(site.ls('spool/tasks/cur'), [])
})

const notRoot = process.getuid?.() !== 0 && 'needs root'
test(
  'files of another user in the directory of a job are left, and the slot goes on',
  { skip: notRoot },
  async t => {
    const site = new Site(t)
    const [work, theirs] = [site.path('work'), site.path('work/code/theirs')]
    mkdirSync(theirs, { recursive: true })
    writeFileSync(join(theirs, 'file'), '')
    mkdirSync(site.path('slot'))
    site.ok('sh', ['-c', 'chmod 755 .; chown nobody slot work work/code'])
    const before = process.cwd()
    process.chdir(site.path('slot'))
    process.seteuid!('nobody')
    try {
      const slot = new Slot(
        site.spool,
        readSlaveSettings({
          ...site.env,
          ...settingsOf(),
          LOST_AFTER: '30',
          LOST_TRIES: '3',
          BUNDLE_MAX: '1G',
          DRAIN: '0',
        }),
      )
      slot.work.remember('1:p:v:a', work)
      await slot.work.discard('1:p:v:a')
      await slot.work.discardOld()
      t.same(readdirSync('work'), ['1:p:v:a'], 'it is known to the next taker')
      t.ok(existsSync(join(theirs, 'file')))
      process.seteuid!(0)
      site.ok('rm', ['-r', theirs])
      process.seteuid!('nobody')
      await slot.work.discardOld()
      t.same(readdirSync('work'), ['1:p:v:a'], 'it was said, and is let be')
      // What is directly in the place of jobs is root's here.
      await new Slot(site.spool, slot.settings).work.discardOld()
      t.notOk(existsSync(join(work, 'code')), 'the next taker tries again')
    } finally {
      process.seteuid!(0)
      process.chdir(before)
    }
  },
)

test("in a directory that is not a slot's alone, nothing is removed but what a taker made", async t => {
  const site = new Site(t)
  for (const directory of ['slot/work/notes', 'data', 'jobtmp/bass-1']) site.ok('mkdir', ['-p', directory])
  for (const file of ['slot/work/file', 'data/file']) writeFileSync(site.path(file), '')
  symlinkSync(site.path('data'), site.path('slot/work/data'))
  const before = process.cwd()
  process.chdir(site.path('slot'))
  try {
    const env = { ...site.env, ...settingsOf(), FAILED_JOB_WAITTIME: '0' }
    const slot = new Slot(
      site.spool,
      readSlaveSettings({ ...env, LOST_AFTER: '30', LOST_TRIES: '3', BUNDLE_MAX: '1G', DRAIN: '0' }),
    )
    slot.work.remember('1:p:v:a', site.path('jobtmp/bass-1'))
    await slot.work.discardOld()
  } finally {
    process.chdir(before)
  }
  t.same(site.ls('slot/work').sort(), ['data', 'file', 'notes'])
  t.same(site.ls('data'), ['file'])
  t.same(site.ls('jobtmp'), [])
})
