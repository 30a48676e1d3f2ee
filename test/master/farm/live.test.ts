// Output of a step reaches who watches it while it runs, and a worker hears at once that somebody does, or wants it to end.

import { test } from 'tap'
import type { Test } from 'tap'

import { Farm } from '../../fixtures/farm.ts'

const sleep = (ms: number) => new Promise(done => setTimeout(done, ms))

/** A job that a worker has. It says no more that it lives: nothing is told with the answers to that. */
async function atWork(t: Test) {
  const farm = await Farm.make(t)
  const { url } = await farm.farmer()
  const about = { host: 'h', slot: '/s', arch: 'testarch', labels: [], version: '1' }
  const { worker } = (await (await farm.ask(url, 'POST', '/v1/workers', about)).json()) as { worker: string }
  await farm.db`update worker set seen = now() + interval '1 hour'`
  await farm.push(url, farm.commit({ Testfile: 'one: true\n' }))
  const answer = await farm.ask(url, 'GET', `/v1/work?worker=${worker}`)
  return { farm, url, work: (await answer.json()) as { attempt: string; num: number } }
}

test('a worker that asks hears at once that somebody looks, and that its job is to end', async t => {
  const { farm, url, work } = await atWork(t)
  let answered = false
  const ask = async (watched: number) => {
    answered = false
    const answer = await farm.ask(url, 'GET', `/v1/runs/${work.attempt}/word?watched=${watched}`)
    answered = true
    return answer.json()
  }
  const looks = ask(0)
  await sleep(500)
  t.equal(answered, false, 'no news')
  await farm.db`update run set steps = ${farm.db.json([{ name: 'one', state: 'running', exit: null, signal: null, started: 1, ended: null, seconds: null }])}`
  const look = async () => (await fetch(`${url}/job/${work.num}/log/one?plain`)).arrayBuffer()
  while (!answered) {
    await look()
    await sleep(100)
  }
  t.same(await looks, { watched: true })
  t.same(await ask(0), { watched: true }, 'to who did not know')
  const cancelled = ask(1)
  await sleep(300)
  t.equal(answered, false, 'it is known')
  await farm.db`select cancel(array[${work.num}]::bigint[], 'somebody')`
  t.same(await cancelled, { word: 'cancelled', watched: true })
})

test('who begins to watch has the output within a second', async t => {
  const farm = await Farm.make(t)
  const farmer = await farm.farmer()
  farm.worker(farmer.url)
  const times: number[] = []
  for (let round = 0; round < 3; round++) {
    const revision = farm.commit({ Testfile: 'one: echo here it is; sleep 60\n', round: `${round}` })
    await farm.push(farmer.url, revision)
    let num: number | undefined
    while (num === undefined) {
      await sleep(100 + Math.random() * 400)
      num = (await farm.db<{ job: number }[]>`select job from run where steps <> '[]'`)[0]?.job
    }
    const log = `${farmer.url}/job/${num}/log/one`
    const stop = new AbortController()
    // It is on the page when that has heard of the step.
    while ((await fetch(`${log}/events`, { method: 'HEAD' })).status !== 200) await sleep(50)
    const began = performance.now()
    const stream = await fetch(`${log}/events`, { signal: stop.signal })
    let said = ''
    for await (const bytes of stream.body!.pipeThrough(new TextDecoderStream())) {
      said += bytes
      if (said.includes('here it is')) break
    }
    times.push(performance.now() - began)
    stop.abort()
    const since = performance.now()
    await farm.db`select cancel(array[${num}]::bigint[], 'somebody')`
    await farm.verdicts(round + 1)
    const [over] = await farm.db<{ steps: unknown; paths: string[] }[]>`
      select steps, array(select file ->> 'path' from jsonb_array_elements(files) file) paths from result where num = ${num}`
    t.match(over!.steps, [{ name: 'one', state: 'cancelled' }])
    t.ok(over!.paths.includes('steps/one/stdout.txt'), 'what it wrote stays')
    t.comment(
      `seen after ${times.at(-1)!.toFixed(0)} ms, cancelled after ${(performance.now() - since).toFixed(0)} ms`,
    )
  }
  t.ok(Math.min(...times) < 1000, times.join(', '))
})

test('what was written while nobody watched is not asked for when somebody does again', async t => {
  const { farm, url, work } = await atWork(t)
  await farm.db`update run set watched = now() + interval '1 hour'`
  const put = async (at: number, bytes: string) => {
    const path = `/v1/runs/${work.attempt}/output?step=one&stream=out&at=${at}`
    const answer = await farm.ask(url, 'PUT', path, bytes)
    return [answer.status, await answer.json()] as const
  }
  const kept = async () =>
    (await farm.db<{ at: number }[]>`select at from live order by at`).map(({ at }) => at)
  t.same(await put(0, 'early\n'), [200, { at: 6 }])
  t.same(await put(6, 'more\n'), [200, { at: 11 }])
  t.same(await put(5, '\nmore\n'), [200, { at: 11 }], 'as where the answer did not arrive')
  t.same(await put(8, 're'), [409, { at: 11 }])
  t.same(await kept(), [0, 6])
  t.same(await put(9_000_000_000, 'late\n'), [200, { at: 9_000_000_005 }])
  t.same(await kept(), [9_000_000_000])
  t.same(await put(11, 'between\n'), [409, { at: 9_000_000_005 }])
  await farm.db`update run set watched = null`
  t.same((await put(9_000_000_005, 'x'))[0], 410)
})
