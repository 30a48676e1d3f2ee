// Deliveries that are held up: by a forge that never answers, and by a farmer that is stopped with the lock in its hand.

import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'tap'

import { Farm } from '../../fixtures/farm.ts'
import { eventually } from '../../fixtures/sandbox.ts'

test('a forge that never answers holds up no other project, nor the end of the farmer', async t => {
  const farm = await Farm.make(t)
  const asked = new Set<Socket>()
  const server = createServer(socket => asked.add(socket))
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => {
    for (const socket of asked) socket.destroy()
    server.close()
  })
  mkdirSync(farm.path('conf/slow'))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.git`
  writeFileSync(farm.path('conf/slow/rc'), `FORGE=github:demo/slow\nFARMER_CLONE='${url}'\n`)
  const farmer = await farm.farmer()
  const revision = farm.commit({ Testfile: 'one: true\n' })
  const body = { ref: 'refs/heads/main', before: null, after: revision, repository: { full_name: 'o/r' } }
  await farm.db`insert into delivery (project, id, headers, body) values
    ('slow', 'one', '{"x-github-event": "push"}', ${Buffer.from(JSON.stringify(body))})`
  await eventually('git', () => asked.size > 0)
  t.equal(await farm.push(farmer.url, revision), 202)
  await eventually('the job', async () => (await farm.db`select from job`).length === 1, 15)

  const ended = farmer.kill('SIGTERM')
  const late = new Promise<string>(done => setTimeout(() => done('it still runs'), 10_000).unref())
  t.match(await Promise.race([ended, late]), { code: 0 })
  t.match(
    await farm.db`select tries, error, due <= now() as due from delivery where project = 'slow'`,
    [{ tries: 0, error: null, due: true }],
    'another farmer may have it at once',
  )
})

test('a farmer that is stopped in the midst of a transaction holds up the others for some seconds', async t => {
  const farm = await Farm.make(t)
  const farmer = await farm.farmer()
  // It has the lock of all that is assigned, and waits to queue its job.
  let release: () => void = () => undefined
  const held = farm.db.begin(async sql => {
    await sql`lock table job in share mode`
    await new Promise<void>(done => (release = done))
  })
  await farm.push(farmer.url, farm.commit({ Testfile: 'one: true\n' }))
  await eventually('a farmer that waits', async () => {
    const waiting = await farm.db`select from pg_locks where not granted and relation = 'job'::regclass`
    return waiting.length > 0
  })
  farmer.child.kill('SIGSTOP')
  release()
  await held
  const began = performance.now()
  const late = new Promise<string>(done => setTimeout(() => done('never'), 30_000).unref())
  t.match(await Promise.race([farm.db`select farm_lock()`, late]), [{}])
  t.comment(`after ${(performance.now() - began).toFixed(0)} ms`)
  t.equal((await farm.db`select from job`).length, 0)
  await farm.farmer()
  await eventually(
    'its job, by another farmer',
    async () => (await farm.db`select from job`).length === 1,
    60,
  )
})

test('a delivery that was given up is taken once more when the forge sends it again', async t => {
  const farm = await Farm.make(t)
  const farmer = await farm.farmer()
  t.equal(await farm.deliver(farmer.url, 'push', '{"ref":', { id: 'again' }), 202)
  await eventually(
    'its end',
    async () => (await farm.db`select from delivery where body is null`).length === 1,
  )
  const send = async () => farm.push(farmer.url, farm.commit({ Testfile: 'one: true\n' }), { id: 'again' })
  t.equal(await send(), 202)
  await eventually('the job', async () => (await farm.db`select from job`).length === 1)
  await send()
  t.match(
    await farm.db`select body, tries from delivery`,
    [{ body: null, tries: 1 }],
    'what had its effect has it once',
  )
})
