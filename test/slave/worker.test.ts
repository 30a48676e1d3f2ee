import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

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
