import { test } from 'tap'

import { Farm } from '../../fixtures/farm.ts'
import { eventually } from '../../fixtures/sandbox.ts'

test('a worker that dies, and one that is told to stop, give their jobs to others', async t => {
  const farm = await Farm.make(t)
  const revision = farm.commit({ Testfile: `slow: test -e '${farm.path('go')}' || sleep 60\n` })
  const [one, two] = [await farm.farmer(), await farm.farmer({ FARMER_DATA: farm.path('data-2') })]
  const killed = farm.worker(one.url, 'worker-1')
  await farm.push(two.url, revision)
  const running = async () => {
    for (;;) {
      const [run] = await farm.db<
        { try: number; attempt: string }[]
      >`select try, attempt from run where steps <> '[]'`
      if (run) return run
      await new Promise(done => setTimeout(done, 50))
    }
  }
  const first = await running()
  const { num } = (await farm.db<{ num: number }[]>`select num from job`)[0]!
  /** Resolves when `bass show` says this. */
  const shows = (words: RegExp) =>
    eventually(
      String(words),
      () => words.test(farm.run('bin/bass', ['show', String(num)], { env: { FARMER_URL: one.url } }).stdout),
      30,
    )
  await killed.kill('SIGKILL')
  const second = farm.worker(two.url, 'worker-2')
  for (let run = first; run.attempt === first.attempt;) run = await running()
  t.match(await farm.db`select losses from job`, [{ losses: 1 }])
  await shows(/running.*lost before +attempt 1 on \S+: its worker was silent for 5 s/s)
  t.equal((await second.kill('SIGTERM')).code, 0)
  t.match(await farm.db`select losses from job`, [{ losses: 1 }], 'to be told to stop is no loss')
  await shows(/queued.*lost before +attempt 2 on \S+: its worker gave it back/s)
  const page = async () => (await fetch(`${one.url}/job/${num}`)).text()
  t.match(await page(), 'It was lost before: attempt 2 on')
  farm.ok('touch', [farm.path('go')])
  farm.worker(one.url, 'worker-3')
  t.same(await farm.verdicts(1), { slow: 'success' })
  t.match(await farm.db`select try from result`, [{ try: 3 }])
  await shows(/success.*lost before +attempt 2 /s)
})
