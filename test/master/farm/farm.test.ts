// The whole way: a signed webhook, jobs of Testfiles, a worker, its output, the verdict, and the pages.

import { test } from 'tap'

import { freePort } from '../../../bin/demo/free-ports.ts'
import { Farm, TOKEN } from '../../fixtures/farm.ts'
import { eventually } from '../../fixtures/sandbox.ts'

const text = async (url: string) => (await fetch(url)).text()

test('a push becomes jobs of the Testfiles above what it changed, which workers run and pages show', async t => {
  const farm = await Farm.make(t)
  const first = farm.commit({
    Testfile: 'lint: echo at the root\n',
    'sdk/Testfile': 'sdk: pwd; mkfifo "$BASS_ARTIFACTS/pipe"\n',
    'sdk/go/Testfile':
      'unit: echo said; echo art >"$BASS_ARTIFACTS/a.txt"; cd "$BASS_ARTIFACTS"; touch a\\\\b "$(printf "a\\nb")"; echo wrong >&2\nbad: false | true\n',
    'other/Testfile': 'other: true\n',
    'broken/Testfile': 'not a line\n',
  })
  const second = farm.commit({ 'sdk/go/account.go': 'x\n' })
  const farmer = await farm.farmer()
  const judged = async (url: string) =>
    farm.run('promtool', ['check', 'metrics'], { input: await text(`${url}/metrics`) })
  t.match(await judged(farmer.url), { code: 0, stdout: '', stderr: '' }, 'where there is nothing yet')
  farm.worker(farmer.url)
  t.equal(await farm.push(farmer.url, second, { before: first }), 202)
  t.same(await farm.verdicts(4), {
    'sdk/go unit': 'success',
    'sdk/go bad': 'failure',
    'sdk sdk': 'success',
    lint: 'success',
  })
  const [order] = await farm.db<
    { names: string[] }[]
  >`select array_agg(label order by started) as names from result`
  t.same(order?.names, ['sdk/go unit', 'sdk/go bad', 'sdk sdk', 'lint'], 'the deepest directory first')
  const [unit] = await farm.db<{ num: number }[]>`select num from result where label = 'sdk/go unit'`
  const job = `${farmer.url}/job/${unit!.num}`
  t.equal((await text(`${job}/log/sdk-go-unit?plain`)).replace(/^@\S+ /gm, ''), 'said\nwrong\n')
  t.match(await text(`${job}/artifacts/a.txt`), 'art\n')
  t.match(await text(job), /sdk\/go unit/)

  const [sdk] = await farm.db<{ num: number }[]>`select num from result where label = 'sdk sdk'`
  const remark = /the artifact .*pipe.* was left out/
  await eventually('its page says so', async () => remark.test(await text(`${farmer.url}/job/${sdk!.num}`)))
  // Once more, by a person.
  const action = (what: string, authorization: string) =>
    fetch(`${job}/${what}`, { method: 'POST', redirect: 'manual', headers: { Authorization: authorization } })
  t.equal((await action('retry', 'Bearer wrong')).status, 403)
  t.equal((await action('retry', `Bearer ${TOKEN}`)).status, 303)
  await farm.verdicts(5)
  const [again] = await farm.db`select retry_of from result order by num desc limit 1`
  t.match(again, { retry_of: unit!.num })

  // The same delivery again, a wrong signature, a project that is not there.
  t.equal(await farm.push(farmer.url, second, { before: first, id: 'delivery-1' }), 202)
  t.equal(await farm.push(farmer.url, second, { secret: 'another secret of 16' }), 401)
  t.equal((await fetch(`${farmer.url}/hooks/nothing`, { method: 'POST', body: '{}' })).status, 404)
  // A file that cannot be read is an error of its own, and stops nothing.
  const third = farm.commit({ 'broken/Testfile': 'still not a line\n' })
  t.equal(await farm.push(farmer.url, third, { before: second }), 202)
  await farm.verdicts(6)
  t.equal((await farm.db`select num from job`).length, 0)
  t.match(await text(`${farmer.url}/metrics`), /bass_farm_workers\{arch="testarch",state="idle"\} 1/)
  t.match(await judged(farmer.url), { code: 0, stdout: '', stderr: '' })
  t.match(await (await fetch(`${farmer.url}/api/queue`)).json(), { waiting: 0, running: 0 })
  // What has been over for long enough is forgotten, and nothing of it is left.
  t.ok(farm.ls('data/files/jobs').length > 0)
  await farm.farmer({ RETENTION: '1' })
  for (
    let left = 1;
    left > 0;
    left = (await farm.db`select num from result union all select 1 from delivery`).length
  ) {
    await new Promise(done => setTimeout(done, 100))
  }
  t.same(farm.ls('data/files/jobs'), [])
  t.equal((await farmer.kill('SIGTERM')).code, 0)
})

test('workers are answered while the pages are laid out', async t => {
  const farm = await Farm.make(t)
  await (await farm.farmer()).kill('SIGTERM')
  let unlock: () => void = () => undefined
  const locked = new Promise<void>(done => (unlock = done))
  t.teardown(unlock)
  // What the pages are made of, and nothing that a worker needs.
  const lock = farm.db.begin(async sql => {
    await sql`lock table change in access exclusive mode`
    await locked
  })
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const starting = farm.farmer({ FARMER_LISTEN: `127.0.0.1:${port}` })
  const about = { host: 'h', slot: '/s', arch: 'testarch', labels: [], version: '1' }
  const ask = () => farm.ask(url, 'POST', '/v1/workers', about).catch(() => undefined)
  await eventually('an answer', async () => (await ask())?.status === 201)
  const page = fetch(url)
  unlock()
  await lock
  t.equal((await page).status, 200)
  t.equal((await starting).url, url)
})

test('pages leave nothing behind, of whatever farmer', async t => {
  const farm = await Farm.make(t)
  const pages = () => farm.ls('data/pages').map(name => Number(name.split('.')[0]))
  const killed = await farm.farmer()
  t.same(pages(), [killed.child.pid])
  await killed.kill('SIGKILL')
  const next = await farm.farmer()
  await eventually('those of the killed one', () => pages().length === 1)
  t.same(pages(), [next.child.pid])
  await next.kill('SIGTERM')
  t.same(pages(), [])
})
