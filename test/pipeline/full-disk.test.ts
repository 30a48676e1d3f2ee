// A disk without room stops new work, not the work in hand; the programs say so, and go on when there is room.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { verdictOf } from '../../lib/spool/job.ts'
import { eventually } from '../fixtures/sandbox.ts'
import { Site } from '../fixtures/site.ts'
import { lacksTinyDisk, TinyDisk } from '../fixtures/tiny-disk.ts'
import { Workshop } from '../fixtures/workshop.ts'

const skip = lacksTinyDisk()

test('a taker takes nothing while a disk is full, and says when and why', { skip }, async t => {
  for (const which of ['spool', 'jobtmp']) {
    const site = new Site(t)
    const disk = await TinyDisk.instead(site, site.path(which), 8)
    site.makeSpool()
    // In a pid namespace of its own a step would not find the /proc that leads to the disk.
    const taker = site.taker('slot', { DISK_MIN: '4M', ISOLATE: 'no' })
    await eventually('the taker', () => site.ls('spool/takers').length > 0)
    disk.fill(5 << 20)
    const name = site.publish({ a: 'true' })
    await eventually('its warning', () => taker.stderr() !== '')
    t.match(
      taker.stderr(),
      /^task-taker: warning: unable to take tasks: disk full: less than DISK_MIN is left in .*\n$/,
    )
    t.same(site.ls('spool/tasks/cur', name).includes('claim'), false, 'it is left to others')
    disk.makeRoom()
    t.equal(await site.verdict(name), 'success')
    t.match(taker.stderr(), /\ntask-taker: info: tasks are taken again\n$/)
    await taker.kill()
  }
})

test(
  'a job whose disk fills up waits for room, and loses neither its log nor its verdict',
  { skip },
  async t => {
    const site = new Site(t)
    const disk = await TinyDisk.instead(site, site.spool.root, 8)
    site.makeSpool()
    const go = site.path('go')
    const name = site.publish({ a: `echo begun; while [ ! -e '${go}' ]; do sleep 0.05; done; seq 50000` })
    const taker = site.taker('slot', { DISK_MIN: '0' })
    await eventually(
      'the step',
      () => verdictOf(site.job(name)) ?? site.ls('spool/jobs/cur', name, 'steps/a').includes('stdout.txt'),
    )
    disk.fill()
    writeFileSync(go, '')
    await eventually('its warning', () =>
      /warning: unable to write '.*stdout\.txt': no space left on device/.test(taker.stderr()),
    )
    t.equal(verdictOf(site.job(name)), undefined)
    disk.makeRoom()
    t.equal(await site.verdict(name), 'success')
    const lines = site.log(name, 'a').trim().split('\n')
    t.equal(lines.length, 50_001)
    t.equal(lines.at(-1), '50000')
    await taker.kill()
  },
)

test('a verdict that finds no room is written when there is some', { skip }, async t => {
  const site = new Site(t)
  const disk = await TinyDisk.instead(site, site.spool.root, 8)
  site.makeSpool()
  const [begun, go] = [site.path('begun'), site.path('go')]
  const name = site.publish({ a: `: >'${begun}'; while [ ! -e '${go}' ]; do sleep 0.05; done` })
  const taker = site.taker('slot', { DISK_MIN: '0' })
  await eventually('the step', () => site.ls('').includes('begun'))
  disk.fill()
  writeFileSync(go, '')
  await eventually('its warning', () => /: no space left on device\n/.test(taker.stderr()))
  t.equal(verdictOf(site.job(name)), undefined)
  disk.makeRoom()
  t.equal(await site.verdict(name), 'success')
  t.same(site.ls('spool/jobs/tmp'), [])
  await taker.kill()
})

test(
  'a task-maker makes no half of a task on a full disk, and all of it when there is room',
  { skip },
  async t => {
    const shop = new Workshop(t)
    const disk = await TinyDisk.instead(shop, shop.spool.root, 8)
    shop.makeSpool()
    shop.touch(join('heads/main', shop.commit()))
    disk.fill()
    const failed = shop.run('master/bin/task-maker', ['--once'])
    t.equal(failed.code, 111)
    t.match(failed.stderr, /^task-maker: fatal: unable to make tasks of .*: no space left on device\n$/i)
    t.same(shop.published(), [])
    disk.makeRoom()
    t.equal(shop.ok('master/bin/task-maker', ['--once']).split('\n').length, 2)
    t.equal(shop.published().length, 2)
    t.same(shop.ls('spool/tasks/tmp'), ['.bundles'])
  },
)

test('a cancel takes the room that artifacts have taken, where the verdict finds none', { skip }, async t => {
  const site = new Site(t)
  const disk = await TinyDisk.instead(site, site.spool.root, 8)
  site.makeSpool()
  const split = 'head -c 6000000 /dev/urandom | split -b 4096 -a 4 - "$BASS_ARTIFACTS/x"'
  const name = site.publish({ a: split })
  disk.fill(5 << 20)
  const taker = site.taker('slot', { DISK_MIN: '0' })
  await eventually('its warning', () => /: no space left on device\n/.test(taker.stderr()), 60)
  t.equal(verdictOf(site.job(name)), undefined)
  t.ok(site.ls('spool/jobs/cur', name, 'artifacts').length > 100)
  writeFileSync(site.path('spool/tasks/cur', name, 'cancel'), '')
  t.equal(await site.verdict(name), 'cancelled')
  t.same(site.ls('spool/jobs/cur', name, 'artifacts'), [])
  const next = site.publish({ a: 'true' })
  t.equal(await site.verdict(next), 'success', 'and the taker goes on')
})
