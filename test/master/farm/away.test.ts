// The forge is away, its API and its repositories: what runs goes on, what was delivered waits, and the forge is told of all when
// it is back. `npm run test:farm` has the long form.

import { writeFileSync } from 'node:fs'
import { test } from 'tap'

import { Farm } from '../../fixtures/farm.ts'
import { GitOverHttp } from '../../fixtures/forges/git-over-http.ts'
import { StandIn } from '../../fixtures/forges/stand-in.ts'
import { eventually } from '../../fixtures/sandbox.ts'

/** For how long, in milliseconds, and how long it may take until all is done after that. */
const [AWAY, AFTER] = process.env['FARM'] === 'long' ? [600_000, 400_000] : [4000, 60_000]

const sleep = (ms: number) => new Promise(done => setTimeout(done, ms))

test('a forge that is away loses nothing', { timeout: AWAY + AFTER + 120_000 }, async t => {
  const [farm, standIn] = await Promise.all([Farm.make(t), StandIn.open(t, 'github')])
  const git = await GitOverHttp.open(t, farm.dir)
  writeFileSync(farm.path('token'), 'a-token\n')
  farm.settings({
    FORGE: standIn.forge,
    FORGE_TOKEN_FILE: farm.path('token'),
    FARMER_CLONE: `${git.url}/code/.git`,
  })
  const farmer = await farm.farmer()
  farm.worker(farmer.url)
  const go = farm.path('go')
  const first = farm.commit({ Testfile: `slow: until test -e '${go}'; do sleep 0.1; done\n` })
  const deliver = (after: string) => {
    const body = { ref: 'refs/heads/main', before: '0'.repeat(40), after, repository: { full_name: 'o/r' } }
    return farm.deliver(farmer.url, 'push', JSON.stringify(body))
  }
  t.equal(await deliver(first), 202)
  while ((await farm.db`select 1 from run where steps <> '[]'`).length === 0) await sleep(50)
  await eventually('the first status', () => standIn.statuses.length === 1, 60)

  let away = true
  standIn.fault = () => (away ? { status: 503 } : undefined)
  git.instead = (_, response) => {
    if (away) response.socket?.destroy()
    return away
  }
  const second = farm.commit({ Testfile: 'quick: true\n' })
  t.equal(await deliver(second), 202, 'what the forge has sent before')
  farm.ok('touch', [go])
  t.same(await farm.verdicts(1), { slow: 'success' }, 'what runs goes on, and has its verdict at once')
  await sleep(AWAY)
  t.equal((await fetch(`${farmer.url}/job/1`)).status, 200)
  t.equal(standIn.statuses.length, 1)
  t.equal((await farm.db`select 1 from delivery where body is not null`).length, 1)

  away = false
  t.same(await farm.verdicts(2, AFTER / 1000), { slow: 'success', quick: 'success' })
  for (let left = 1; left > 0; left = (await farm.db`select 1 from "check"`).length) await sleep(100)
  const told = (context: string) =>
    standIn.statuses.filter(status => status.context === context).map(({ state }) => state)
  t.same(told('slow'), ['pending', 'success'])
  t.equal(told('quick').at(-1), 'success')
  t.ok(told('quick').length <= 2, 'nothing is said twice')
  t.match(await farm.db`select try from result`, [{ try: 1 }, { try: 1 }])
  t.same(standIn.lies, [])
})
