// A server whose disk fills up, and whose clock is set, or its forge's.

import { mkdirSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { StatusCourier } from '../../../bin/jci/server/courier.ts'
import { ForgeClient } from '../../../bin/jci/server/forge.ts'
import { Jobs } from '../../../bin/jci/server/jobs.ts'
import type { Job } from '../../../bin/jci/server/jobs.ts'
import { clockOffBy, lacksFaketime, removeFaketime } from '../../fixtures/faketime.ts'
import { StandIn } from '../../fixtures/forges/stand-in.ts'
import { Played } from '../../fixtures/jci-played.ts'
import { eventually, Sandbox } from '../../fixtures/sandbox.ts'
import { lacksTinyDisk, TinyDisk } from '../../fixtures/tiny-disk.ts'

test(
  'a full disk: no push is taken that would be lost, and the server goes on when there is room',
  { skip: lacksTinyDisk() },
  async t => {
    let disk: TinyDisk
    const played = await Played.open(t, {}, async ({ sandbox }) => {
      mkdirSync(sandbox.path('db'))
      disk = await TinyDisk.instead(sandbox, sandbox.path('db/jobs'), 2)
    })
    const { forge, sandbox } = played
    const commits = ['one', 'two'].map(name => forge.repository(name, 'true'))
    disk!.fill()
    t.equal((await played.push('one', commits[0]!)).status, 502)
    t.equal(await played.poll('r1', []), null)
    disk!.makeRoom()
    t.equal((await played.push('one', commits[0]!)).status, 200, 'delivered once more')
    const job = await played.got('r1', [])
    disk!.fill()
    t.equal((await played.run('r1', job)).code, 0)
    await eventually('it says so', () => played.server.stderr().includes('unable to settle the job of'))
    t.equal((await played.push('two', commits[1]!)).status, 502)
    disk!.makeRoom()
    await played.over('success job completed')
    t.equal(played.told().filter(text => !text.startsWith('pending')).length, 1)
    await eventually('nothing is left to be done', () => sandbox.ls('db/jobs').length === 0)
    t.equal((await played.server.kill('SIGTERM')).code, 0)
  },
)

const queued = { state: 'pending', description: 'jci: queued' } as const

test(
  'a clock that is set back keeps no job alive, and none from being looked at',
  { skip: lacksFaketime() },
  async t => {
    t.teardown(removeFaketime)
    const clock = new Sandbox(t).path('clock')
    const set = (offset: string) => writeFileSync(clock, `${offset}\n`)
    set('+0')
    const played = await Played.open(t, {
      JCI_JOB_TIMEOUT: '600',
      ...clockOffBy(clock),
    })
    const { forge } = played
    const commits = ['one', 'two'].map(name => forge.repository(name, 'true'))
    await played.push('one', commits[0]!)
    const first = await played.got('r1', [])
    set('-2h')
    t.equal((await played.run('r1', first)).code, 0)
    await played.over('success job completed')
    await played.server.kill('SIGTERM')
    played.settings['JCI_JOB_TIMEOUT'] = '8'
    await played.start()
    await played.push('two', commits[1]!)
    const second = await played.got('r2', [])
    const stop = played.keep('r2', second)
    set('-4h')
    await played.over('failure job timed out')
    stop()
    t.notOk(await played.isAlive(second))
    t.same(forge.api.lies, [])
  },
)

for (const hours of [-1, 1]) {
  test(`a forge whose clock is ${hours} h off: what it was told before a crash is told once, and anew to the next job`, async t => {
    const sandbox = new Sandbox(t)
    const api = await StandIn.open(t, 'gitea')
    const off = hours * 3_600_000
    const forge = new ForgeClient({ address: api.url, user: 'u', token: 't', web: undefined })
    const jobs = new Jobs(sandbox.path('jobs'))
    const stop = new AbortController()
    t.teardown(() => stop.abort())
    const courier = new StatusCourier(jobs, forge, stop.signal)
    const add = () => jobs.add('o', 'r', 'c'.repeat(40))!
    const told = async (job: Job) => {
      // As it is read after a crash: it may have been sent.
      jobs.change(job, { sending: true })
      courier.wake()
      await eventually('all is told', () => job.told.length === 0)
      jobs.end(job, 'failure', 'jci: job lost')
      jobs.change(job, { told: [] })
      return api.statuses.length
    }
    // A job of an hour ago has told the same.
    api.clock = off - 3_600_000
    await forge.tell({ owner: 'o', repo: 'r', commit: 'c'.repeat(40) } as Job, queued)
    api.clock = off
    t.equal(await told(add()), 2)
    const job = add()
    await forge.tell(job, queued)
    t.equal(await told(job), 3, 'it was told before')
    t.same(api.lies, [])
  })
}
