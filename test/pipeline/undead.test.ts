// Takers that die, and takers that come back when everybody took them for dead.

import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { verdictOf } from '../../lib/spool/job.ts'
import { retriedAs } from '../../lib/spool/retry.ts'
import { eventually } from '../fixtures/sandbox.ts'
import { Site } from '../fixtures/site.ts'

const [FIRST, SECOND] = ['1:hello:v1:testarch', '2:hello:v1:testarch']

for (const ISOLATE of ['pid', 'no']) {
  test(`ISOLATE=${ISOLATE}: a taker that comes back ends its steps within two heartbeats, and its verdict does not stand`, async t => {
    const site = new Site(t)
    const [flag, nap] = [site.path('flag'), `${2000 + process.pid}.${ISOLATE.length}`]
    const env = { ISOLATE, LOST_AFTER: '2' }
    site.publish({ a: `[ ! -e '${flag}' ] || exit 0; touch '${flag}'; sleep ${nap}` })
    const naps = () => site.run('pgrep', ['-f', `^sleep ${nap}$`]).stdout
    const undead = site.taker('slot-1', env)
    await eventually('the step', () => naps() !== '')
    process.kill(undead.pid, 'SIGSTOP')

    site.start('master/bin/reaper', [], { env: { ...env, POLL_INTERVAL: '0.1' } })
    const other = site.taker('slot-2', env)
    t.equal(await site.verdict(SECOND), 'success')
    await eventually('the archive', () => site.ls('spool/tasks/old').length === 2)
    t.equal(verdictOf(site.job(FIRST)), 'lost')
    t.not(naps(), '', 'the step of the stopped taker runs on')
    await other.kill('SIGTERM')

    const beat = () => statSync(join(site.job(FIRST), 'alive'), { bigint: true }).mtimeNs
    const beats = new Set([beat()])
    process.kill(undead.pid, 'SIGCONT')
    await eventually('the end of its step', () => {
      const gone = naps() === ''
      beats.add(beat())
      return gone
    })
    t.ok(beats.size - 1 <= 2, `${beats.size - 1} beats`)

    const next = site.publish({ a: 'true' })
    t.equal(await site.verdict(next), 'success', 'it works on')
    t.equal(verdictOf(site.job(FIRST)), 'lost')
    t.equal(retriedAs(site.job(FIRST)), SECOND)
    await eventually('the archive', () => site.ls('spool/tasks/old').length === 3)
    t.same(site.ls('spool/tasks/old'), [FIRST, SECOND, next])
    t.same([site.ls('spool/tasks/cur'), site.ls('spool/tasks/tmp'), site.ls('spool/jobs/tmp')], [[], [], []])
  })
}

test('a taker that starts after a reboot frees the jobs of its slot, whoever has their pid now', async t => {
  const site = new Site(t)
  const flag = site.path('flag')
  site.publish({ a: `[ -e '${flag}' ] || { touch '${flag}'; sleep 300; }` })
  const taker = site.taker()
  await eventually('the step', () => site.ls('.').includes('flag'))
  await taker.kill('SIGKILL')
  // As if it had run before the reboot, and this very process had its pid and start time now.
  const [owner, stat] = [join(site.job(FIRST), 'owner.txt'), readFileSync('/proc/self/stat', 'latin1')]
  const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!
  const text = readFileSync(owner, 'utf8')
    .replace(/^pid=.*$/m, `pid=${process.pid}`)
    .replace(/^start=.*$/m, `start=${start}`)
  writeFileSync(owner, text)
  const second = site.taker()
  await eventually('a look', () => second.stderr() !== '' || site.ls('spool/takers').length > 0)
  await new Promise(done => setTimeout(done, 500))
  t.equal(verdictOf(site.job(FIRST)), undefined, 'as long as that process lives, the job is its own')
  await second.kill('SIGKILL')
  writeFileSync(owner, text.replace(/^boot=.*$/m, 'boot=00000000-0000-0000-0000-000000000000'))
  site.taker()
  t.equal(await site.verdict(SECOND), 'success')
  t.equal(verdictOf(site.job(FIRST)), 'lost')
})

test('a task that kills its takers is published again LOST_TRIES times and then left to a person', async t => {
  const site = new Site(t)
  // Without a namespace the parent of a step is its taker.
  const env = { ISOLATE: 'no', LOST_TRIES: '2' }
  site.publish({ a: `echo "$BASS_TASK" >>'${site.path('ran')}'; kill -9 $PPID; sleep 300` })
  const names = [1, 2, 3].map(n => `${n}:hello:v1:testarch`)
  for (const name of names) {
    const { signal } = await site.taker('slot', env).ended
    t.equal(signal, 'SIGKILL', name)
  }
  const last = site.taker('slot', env)
  await eventually('the archive', () => site.ls('spool/tasks/old').length === 3)
  const next = '4:hello:v1:testarch'
  t.same(site.ls('spool/tasks/cur').includes(next), false)
  t.same(
    names.map(name => verdictOf(site.job(name))),
    ['lost', 'lost', 'lost'],
  )
  t.same(readFileSync(site.path('ran'), 'utf8').trimEnd().split('\n'), names, 'each ran once')
  t.equal((await last.kill('SIGTERM')).code, 0)
})
