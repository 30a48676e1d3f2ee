// What stands beside a farm fails: a worker is cut off from the farmer while its step writes, or is stopped, the database is full,
// and clocks are an hour apart.

import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { isErrno } from '../../../lib/base/errno.ts'
import { clockOff, lacksFaketime, removeFaketime } from '../../fixtures/faketime.ts'
import { Farm } from '../../fixtures/farm.ts'
import { ROOT, eventually } from '../../fixtures/sandbox.ts'

const skip = process.getuid?.() !== 0 && 'needs root'

const sleep = (ms: number) => new Promise(done => setTimeout(done, ms))

/** The attempt at the only job, when its step has begun; another than `before`. */
async function attemptAfter(farm: Farm, before?: string): Promise<string> {
  for (;;) {
    const [run] = await farm.db<{ attempt: string }[]>`select attempt from run where steps <> '[]'`
    if (run && run.attempt !== before) return run.attempt
    await sleep(50)
  }
}

test('a worker that is cut off ends its step, and another one has the job', { skip }, async t => {
  const farm = await Farm.make(t)
  const [go, lock, overlap] = [farm.path('go'), farm.path('lock'), farm.path('overlap')]
  // Each of its processes holds the lock.
  const command = `slow: exec 9>'${lock}'; flock -n 9 || touch '${overlap}'; until test -e '${go}'; do echo beat; sleep 0.1; done`
  const isHeld = () => farm.run('flock', ['-n', lock, 'true']).code === 1
  const revision = farm.commit({ Testfile: `${command}\n` })
  const ip = (...args: string[]) => farm.ok('ip', args)
  const [space, here, there] = [`bass-${process.pid}`, `bh${process.pid}`, `bt${process.pid}`]
  ip('netns', 'add', space)
  t.teardown(() => {
    farm.run('ip', ['link', 'del', here])
    farm.run('ip', ['netns', 'del', space])
  })
  ip('link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', space)
  ip('addr', 'add', '169.254.231.1/30', 'dev', here)
  ip('link', 'set', here, 'up')
  ip('-n', space, 'addr', 'add', '169.254.231.2/30', 'dev', there)
  ip('-n', space, 'link', 'set', there, 'up')
  const farmer = await farm.farmer({ FARMER_LISTEN: '0.0.0.0:0' })
  const { port } = new URL(farmer.url)
  const far = `http://169.254.231.1:${port}`
  farm.ok('mkdir', ['far'])
  const worker = farm.start('ip', ['netns', 'exec', space, join(ROOT, 'slave/bin/worker')], {
    cwd: 'far',
    env: { FARMER_URL: far },
  })
  await farm.push(`http://127.0.0.1:${port}`, revision)
  const first = await attemptAfter(farm)
  await eventually('the step', isHeld)
  farm.worker(`http://127.0.0.1:${port}`, 'near')
  while ((await farm.db`select 1 from worker`).length < 2) await sleep(50)

  ip('link', 'set', here, 'down')
  const second = await attemptAfter(farm, first)
  t.equal(existsSync(overlap), false, 'it had ended when the other began')
  t.match(worker.stderr(), `unable to reach '${far}'`)

  // Where it comes back, it is a new worker.
  ip('link', 'set', here, 'up')
  while ((await farm.db`select 1 from worker`).length < 2) await sleep(50)
  farm.ok('touch', [go])
  t.same(await farm.verdicts(1), { slow: 'success' })
  t.match(await farm.db`select attempt, try from result`, [{ attempt: second, try: 2 }])
})

test('a worker that is stopped for 7 s is killed with its steps before another has its job', async t => {
  const farm = await Farm.make(t)
  const [go, overlap] = [farm.path('go'), farm.path('overlap')]
  const lineOf = (label: string) =>
    `${label}: exec 9>'${farm.path(label)}'; flock -n 9 || touch '${overlap}'; until test -e '${go}'; do sleep 0.1; done\n`
  const labels = ['a', 'b']
  const farmer = await farm.farmer()
  const stopped = ['pid', 'no'].map(ISOLATE => farm.worker(farmer.url, ISOLATE, { ISOLATE }))
  await farm.push(farmer.url, farm.commit({ Testfile: labels.map(lineOf).join('') }))
  const running = async (tried: number) =>
    (await farm.db`select 1 from run where steps <> '[]' and try = ${tried}`).length === labels.length
  while (!(await running(1))) await sleep(50)
  for (const name of ['c', 'd']) farm.worker(farmer.url, name)
  while ((await farm.db`select 1 from worker`).length < 4) await sleep(50)

  for (const { child } of stopped) child.kill('SIGSTOP')
  const over = sleep(7000)
  while (!(await running(2))) await sleep(50)
  t.equal(existsSync(overlap), false, 'no step runs beside another attempt at its job')
  await over
  for (const worker of stopped) {
    worker.child.kill('SIGCONT')
    t.match(await worker.ended, { signal: 'SIGKILL' })
    t.match(worker.stderr(), 'worker: fatal: it was stopped, or hung: killed with its steps')
  }
  farm.ok('touch', [go])
  t.same(await farm.verdicts(2), { a: 'success', b: 'success' })
  t.match(await farm.db`select try from result`, [{ try: 2 }, { try: 2 }])
})

test('a full database loses nothing that was taken, and goes on when there is room', { skip }, async t => {
  const farm = await Farm.make(t, 32)
  const farmer = await farm.farmer()
  farm.worker(farmer.url)
  const labels: string[] = []
  /** Delivers a commit with a check of its own, and much besides. */
  const push = async () => {
    const label = `job-${labels.length}`
    const body = JSON.stringify({
      ref: 'refs/heads/main',
      before: '0'.repeat(40),
      after: farm.commit({ Testfile: `${label}: true\n` }),
      repository: { full_name: 'demo/hello' },
      sender: { login: 'ada' },
      ballast: farm.ok('sh', ['-c', 'head -c 100000 /dev/urandom | od -An -tx1 -v']),
    })
    const deliver = () => farm.deliver(farmer.url, 'push', body, { id: label })
    const status = await deliver()
    labels.push(label)
    return { status, deliver }
  }
  t.equal((await push()).status, 202)
  await farm.verdicts(1)
  const ballast = join(farm.postgres.tiny, 'ballast')
  try {
    for (;;) writeFileSync(ballast, Buffer.alloc(1 << 12), { flag: 'a' })
  } catch (error) {
    if (!isErrno(error, 'ENOSPC')) throw error
  }
  let refused = await push()
  while (refused.status === 202) refused = await push()
  t.equal(refused.status, 500)
  t.match(farmer.stderr(), /warning: unable to \w+ .*: could not extend file .*No space left on device/)
  t.equal((await fetch(`${farmer.url}/healthz`)).status, 200)

  rmSync(ballast)
  // As forges do.
  for (let n = 0; (await refused.deliver()) !== 202; n++) if (n > 100) throw new Error('still refused')
  const verdicts = await farm.verdicts(labels.length)
  t.same(Object.keys(verdicts).sort(), [...labels].sort())
  t.same([...new Set(Object.values(verdicts))], ['success'])
  t.equal((await farm.db`select 1 from result where try > 4`).length, 0)
})

test('clocks of a farmer and a worker two hours apart change nothing', { skip: lacksFaketime() }, async t => {
  t.teardown(removeFaketime)
  const farm = await Farm.make(t)
  const farmer = await farm.farmer(clockOff('-1h'))
  const served = Date.parse((await fetch(`${farmer.url}/healthz`)).headers.get('date') ?? '')
  t.ok(Date.now() - served > 3_500_000, 'its clock is behind')
  farm.worker(farmer.url, 'worker', clockOff('+1h'))
  const revision = farm.commit({ Testfile: 'one: echo said\ntwo: sleep 7\n' })
  t.equal(await farm.push(farmer.url, revision), 202)
  t.same(await farm.verdicts(2), { one: 'success', two: 'success' })
  const rows = await farm.db<{ num: number; try: number; seconds: number }[]>`
    select num, try, extract(epoch from ended - started)::float as seconds from result order by label`
  t.ok(
    rows.every(row => row.try === 1 && row.seconds < 600),
    'nobody was taken for gone, and times are the database’s',
  )
  const log = await (await fetch(`${farmer.url}/job/${rows[0]!.num}/log/one?plain`)).text()
  t.match(log, /said\n$/)
})
