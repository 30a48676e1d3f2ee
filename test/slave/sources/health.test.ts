import { spawn } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { test } from 'tap'

import { self, startOf } from '../../../lib/system/process.ts'
import { Health } from '../../../slave/sources/health.ts'
import type { HealthSettings } from '../../../slave/sources/health.ts'
import { MachineFault } from '../../../slave/run/places/machine-fault.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'
import { lacksTinyDisk, TinyDisk } from '../../fixtures/tiny-disk.ts'

const NEVER = new AbortController().signal

function make(t: ConstructorParameters<typeof Sandbox>[0], more: Partial<HealthSettings> = {}) {
  const box = new Sandbox(t)
  const settings = { jobtmp: box.path('jobtmp'), diskMin: 0, poll: 10, path: box.env['PATH'], ...more }
  mkdirSync(box.path('slot'))
  mkdirSync(box.path('jobs'))
  const told: (string | undefined)[] = []
  const places = { jobs: box.path('jobs'), slot: box.path('slot') }
  return { box, settings, health: new Health(places, settings, fault => told.push(fault)), told }
}

test('a machine whose places cannot hold a job says so once, rests longer each time, and goes on when it can', async t => {
  const { box, settings, health, told } = make(t)
  t.equal(await health.isWell(NEVER), true)
  writeFileSync(box.path('file'), '')
  settings.jobtmp = box.path('file/below')
  const rests: number[] = []
  for (let i = 0; i < 5; i++) {
    const start = performance.now()
    t.equal(await health.isWell(NEVER), false)
    rests.push(performance.now() - start)
  }
  t.ok(rests[4]! > 100 && rests[4]! > rests[1]!, rests.join(' '))
  t.same(told, ['JOBTMP cannot be written: not a directory'])
  settings.jobtmp = box.path('new/jobtmp')
  t.equal(await health.isWell(NEVER), true, 'what is not there is made')
  t.same(told, ['JOBTMP cannot be written: not a directory', undefined])
  t.same(box.ls('new/jobtmp').concat(box.ls('slot')), [], 'nothing is left of what was tried')
})

test('what tries have left goes with the next one on that machine, in whichever slot, once their process is over', async t => {
  const { box, health } = make(t)
  const { boot, namespace, pid, start } = self()
  const child = spawn('sleep', ['60'])
  t.teardown(() => child.kill('SIGKILL'))
  const name = (...parts: (string | number)[]) => `bass-try-${parts.join('.')}.0123456789abcdef`
  const lives = name(boot, namespace, child.pid!, startOf(child.pid!))
  const unknown = name(boot, 'pid:[1]', 999_999_999, '1')
  const over = [
    name(boot, namespace, child.pid!, '1'),
    name(boot, namespace, 999_999_999, '1'),
    name('another-boot', namespace, pid, start),
    name(boot, namespace, pid, start),
  ]
  mkdirSync(box.path('jobtmp'), { recursive: true })
  for (const one of [lives, unknown, ...over, 'bass-try-of-nobody'])
    writeFileSync(box.path('jobtmp', one), '')
  writeFileSync(box.path('slot/.try'), '')
  t.equal(await health.isWell(NEVER), true)
  t.same([box.ls('slot'), box.ls('jobtmp')], [[], [lives, unknown, 'bass-try-of-nobody'].sort()])
})

test('what is left of a try is removed by its name, and nothing through it; what cannot be is no fault', async t => {
  const { box, health } = make(t)
  const name = `jobtmp/bass-try-another-boot.pid.1.1.0123456789abcdef`
  mkdirSync(box.path('theirs'))
  writeFileSync(box.path('theirs/file'), 'kept')
  mkdirSync(box.path(`${name}0`), { recursive: true })
  symlinkSync(box.path('theirs/file'), box.path(name))
  symlinkSync(box.path('theirs'), box.path(`${name}1`))
  t.equal(await health.isWell(NEVER), true)
  t.same([box.ls('theirs'), box.ls('jobtmp')], [['file'], [basename(`${name}0`)]])
})

test('a job that failed is blamed on the machine only if the machine fails', async t => {
  const { box, settings, health, told } = make(t)
  t.equal(await health.blame(new Error('it broke')), undefined)
  t.match(await health.blame(new MachineFault('make a pid namespace', 'no process left')), /pid namespace/)
  writeFileSync(box.path('file'), '')
  settings.jobtmp = box.path('file')
  t.match(await health.blame(new Error('it broke')), /^JOBTMP cannot be written/)
  t.equal(told.length, 2)
})

test('what a job has met and no try finds is said once, and stands until a job is run', async t => {
  const { health, told } = make(t, { poll: 1 })
  for (let i = 0; i < 3; i++) {
    await health.blame(new MachineFault('run any container', 'no runtime'))
    t.equal(health.isSick, true)
    t.equal(await health.isWell(NEVER), true, 'tasks are tried')
    t.equal(health.isSick, false, 'and waited for')
  }
  t.same(told, ['unable to run any container: no runtime'])
  health.hasRun()
  t.same(told, ['unable to run any container: no runtime', undefined])
})

test('a rest ends with the taker', { timeout: 10_000 }, async t => {
  const { health } = make(t, { poll: 60_000 })
  await health.blame(new MachineFault('make a pid namespace', 'no process left'))
  const stop = new AbortController()
  setTimeout(() => stop.abort(), 20)
  t.equal(await health.isWell(stop.signal), false)
})

test('a PATH that is not set, and a disk without room or without the right to run programs, are faults', async t => {
  const { health, told } = make(t, { path: undefined })
  t.equal(await health.fault(), 'PATH is not set')
  t.equal(
    await make(t, { diskMin: Infinity }).health.fault(),
    'disk full: less than DISK_MIN is left in the spool',
  )
  t.same(told, [])
})

test('a disk that takes no more is a fault of its place', { skip: lacksTinyDisk() }, async t => {
  const { box, health } = make(t, { diskMin: 1024 ** 2 })
  const disk = await TinyDisk.instead(box, box.path('slot'), 2)
  t.equal(await health.fault(), undefined)
  disk.fill()
  t.equal(await health.fault(), 'disk full: less than DISK_MIN is left in the slot')
})

test(
  'a JOBTMP from which no program can be run is a fault, and nothing is left there',
  { skip: lacksTinyDisk() },
  async t => {
    const { box, health, told } = make(t)
    await TinyDisk.instead(box, box.path('jobtmp'), 2, ',noexec')
    for (let i = 0; i < 2; i++) t.equal(await health.isWell(NEVER), false)
    t.same(told, ['no program can be made and run in JOBTMP: permission denied'], 'said once')
    t.same(box.ls('jobtmp'), [])
  },
)
