// Settings of a project that are wrong for a while: nothing that concerns it is taken for done meanwhile.

import { renameSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { Farm } from '../../fixtures/farm.ts'
import { StandIn } from '../../fixtures/forges/stand-in.ts'
import { eventually } from '../../fixtures/sandbox.ts'

test('what is to be told and what was delivered waits until the settings are right, which are read again', async t => {
  const [farm, standIn] = await Promise.all([Farm.make(t), StandIn.open(t, 'github')])
  writeFileSync(farm.path('token'), 'a-token\n')
  const settings = { FORGE: standIn.forge, FORGE_TOKEN_FILE: farm.path('token') }
  farm.settings(settings)
  const farmer = await farm.farmer()
  t.equal(await farm.push(farmer.url, farm.commit({ Testfile: 'one: true\n' })), 202)
  await eventually('the first status', () => standIn.statuses.length === 1, 60)

  farm.settings({ ...settings, FORGE_SECRET_FILE: farm.path('later') })
  // Of what came before.
  const body = Buffer.from(
    JSON.stringify({
      ref: 'refs/heads/main',
      before: '0'.repeat(40),
      after: farm.commit({ Testfile: 'two: true\n' }),
      repository: { full_name: 'o/r' },
    }),
  )
  const headers = { 'content-type': 'application/json', 'x-github-event': 'push' }
  await farm.db`insert into delivery (project, id, headers, body) values ('hello', 'early', ${farm.db.json(headers)}, ${body})`
  const about = { host: 'h', slot: '/s', arch: 'testarch', labels: [], version: '1' }
  const { worker } = (await (await farm.ask(farmer.url, 'POST', '/v1/workers', about)).json()) as {
    worker: string
  }
  const work = () => farm.ask(farmer.url, 'GET', `/v1/work?worker=${worker}`)
  t.equal((await work()).status, 500, 'nobody is told to clone from nowhere')
  await farm.db`select cancel(array[1]::bigint[], 'somebody'), lose(array[${worker}]::uuid[], false)`
  t.match(await farm.db`select verdict from result`, [{ verdict: 'cancelled' }])
  while ((await farm.db`select from delivery where id = 'early' and tries > 1`).length === 0)
    await new Promise(done => setTimeout(done, 50))
  t.equal(await farm.push(farmer.url, 'a'.repeat(40)), 500, 'its forge is not told that it is none of ours')
  t.match(await farm.db`select body is not null as open from delivery where id = 'early'`, [{ open: true }])
  t.match(await farm.db`select state from "check"`, [{ state: 'error' }])

  // The settings file itself stays as it is.
  renameSync(farm.path('hook-secret'), farm.path('later'))
  await eventually(
    'the job',
    async () => (await farm.db`select from job where label = 'two'`).length === 1,
    60,
  )
  await eventually('the verdict', () => standIn.statuses.some(({ state }) => state === 'error'), 60)
  t.equal(farmer.stderr().match(/read the settings of/g)?.length, 1)
})

test('jobs of a project that was removed end as soon as they would begin', async t => {
  const farm = await Farm.make(t)
  const farmer = await farm.farmer()
  await farm.push(farmer.url, farm.commit({ Testfile: 'one: true\ntwo: true\n' }))
  await eventually('the jobs', async () => (await farm.db`select from job`).length === 2, 60)
  renameSync(farm.path('conf/hello'), farm.path('hello'))
  const worker = farm.worker(farmer.url)
  t.same(await farm.verdicts(2), { one: 'error', two: 'error' })
  const [result] = await farm.db<{ error: string }[]>`select error from result`
  t.equal(result!.error, "the farmer has no project 'hello' any more")

  // Its worker has others to do.
  renameSync(farm.path('hello'), farm.path('conf/hello'))
  await farm.push(farmer.url, farm.commit({ Testfile: 'three: true\n' }))
  t.match(await farm.verdicts(3), { three: 'success' })
  t.equal(worker.stderr(), '')
})
