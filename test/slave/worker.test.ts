import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'tap'
import type { Test } from 'tap'

import { Farm } from '../fixtures/farm.ts'
import { Sandbox } from '../fixtures/sandbox.ts'

test('a word that CLEAN does not know is refused', t => {
  const sandbox = new Sandbox(t)
  const env = { FARMER_URL: 'http://127.0.0.1:1', CLEAN: 'All' }
  t.match(sandbox.run('slave/bin/worker', [], { env }), {
    code: 100,
    stderr: "worker: fatal: unable to read the setting CLEAN: 'All' is not one of ignored, all\n",
  })
  t.end()
})

test('a directory that is not its own is refused before anything of it is removed', async t => {
  const farm = await Farm.make(t)
  const farmer = await farm.farmer()
  mkdirSync(farm.path('worker/job'), { recursive: true })
  writeFileSync(farm.path('worker/job/offer.txt'), 'mine')
  const { code, stderr } = await farm.worker(farmer.url).ended
  t.equal(code, 100)
  t.match(stderr, /unable to work in '.*worker': its 'job' holds 'offer\.txt', which is of no job/)
  t.ok(existsSync(farm.path('worker/job/offer.txt')))
})

test('two workers do not work in one directory', async t => {
  const farm = await Farm.make(t)
  const farmer = await farm.farmer()
  const go = farm.path('go')
  const first = farm.worker(farmer.url)
  await farm.push(
    farmer.url,
    farm.commit({ Testfile: `one: until test -e '${go}'; do sleep 0.1; done\ntwo: true\n` }),
  )
  while ((await farm.db`select 1 from run where steps <> '[]'`).length === 0)
    await new Promise(done => setTimeout(done, 50))
  const { code, stderr } = await farm.worker(farmer.url).ended
  t.equal(code, 111)
  t.match(stderr, /^worker: fatal: unable to work in '.*worker': the worker with pid \d+ works there\n$/)
  writeFileSync(go, '')
  t.same(await farm.verdicts(2), { one: 'success', two: 'success' })
  t.match(await farm.db`select try from result`, [{ try: 1 }, { try: 1 }])
  await first.kill('SIGKILL')
  const next = farm.worker(farmer.url)
  await farm.push(farmer.url, farm.commit({ Testfile: 'three: true\n' }))
  t.match(await farm.verdicts(3), { three: 'success' }, 'whoever comes after it')
  await next.kill('SIGTERM')
})

test("a job's limits reach its worker, and what an ignored file is for lasts from job to job unless CLEAN says all", async t => {
  const farm = await Farm.make(t)
  farm.settings({ LINE_TIMEOUT: '2' })
  // What a step locks keeps the worker, which is not root, from no later job.
  const lock = 'mkdir -p new/x "$HOME/x"; touch new/x/y "$HOME/x/y"; chmod 0 new/x; chmod 500 old "$HOME/x"'
  const lines = [
    `look: test ! -e kept || echo there; touch kept; ${lock}`,
    'silent: echo begun; sleep 600',
  ].join('\n')
  const farmer = await farm.farmer()
  const build = async (worker: string, env: Record<string, string> = {}) => {
    const before = (await farm.db`select 1 from result`).length
    await farm.push(
      farmer.url,
      farm.commit({ Testfile: `${lines}\n`, '.gitignore': 'kept\n', 'old/number': `${before}` }),
    )
    const running = farm.workerAsNobody(farmer.url, worker, env)
    await farm.verdicts(before + 2)
    await running.kill('SIGTERM')
    return existsSync(farm.path(worker, 'work/hello/code/kept'))
  }
  t.equal(await build('worker'), true)
  t.match(await farm.db`select label, verdict from result order by label`, [
    { label: 'look', verdict: 'success' },
    { label: 'silent', verdict: 'timeout' },
  ])
  const kept = farm.path('worker/work/hello/code/kept')
  writeFileSync(kept, 'of the first job')
  await build('worker')
  t.equal(farm.ok('cat', [kept]), 'of the first job')
  t.equal(await build('worker', { CLEAN: 'all' }), false)
})

/** A way to a farmer on which files wait until `open` resolves. */
async function slowStore(t: Test, farmer: () => string, open: Promise<unknown>) {
  let asked: () => void = () => undefined
  const heard = new Promise<void>(done => (asked = done))
  const server = createServer((incoming, outgoing) => {
    asked()
    void open.then(() => {
      const { method, url, headers } = incoming
      const on = request(farmer() + url!, { method, headers }, answer => {
        outgoing.writeHead(answer.statusCode!)
        answer.pipe(outgoing)
      })
      incoming.pipe(on)
    })
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, heard }
}

test('a job that is cancelled while its files are stored is cancelled, and keeps them', async t => {
  const farm = await Farm.make(t)
  let open: () => void = () => undefined
  const store = await slowStore(t, () => farmer.url, new Promise<void>(done => (open = done)))
  const farmer = await farm.farmer({ FARMER_URL: store.url })
  await farm.push(farmer.url, farm.commit({ Testfile: 'quick: printf %s-%s hel lo\n' }))
  farm.worker(farmer.url)
  await store.heard
  await farm.db`select cancel(array(select num from job), 'a person')`
  // A worker hears of it within a second.
  await new Promise(done => setTimeout(done, 2000))
  t.same(await farm.db`select 1 from result`, [], 'the files are waited for')
  open()
  t.same(await farm.verdicts(1), { quick: 'cancelled' })
  const page = await fetch(`${farmer.url}/job/1`)
  t.match(await page.text(), 'hel-lo')
})
