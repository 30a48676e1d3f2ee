// What no forge and no worker of ours sends: garbage, too much, too slow, the wrong secret, other people's attempts; a worker of
// another version; one that is stopped; and a thousand deliveries at once.

import { connect } from 'node:net'
import { test } from 'tap'

import { Farm, SECRET } from '../../fixtures/farm.ts'
import { eventually } from '../../fixtures/sandbox.ts'

const NOBODY = '00000000-0000-4000-8000-000000000000'

test('each endpoint refuses what it does not know, and the farm goes on', async t => {
  const farm = await Farm.make(t)
  const revision = farm.commit({ Testfile: 'mine: true\n' })
  const farmer = await farm.farmer()
  const { url } = farmer
  const status = async (answer: Promise<Response>) => {
    const { status } = await answer
    await (await answer).arrayBuffer()
    return status
  }
  // A connection on which too much was sent is closed, and the next request may find that out.
  const ask = (method: string, path: string, body?: unknown, secret?: string) => {
    const once = () => status(farm.ask(url, method, path, body, secret))
    return once().catch(once)
  }
  const about = { host: 'h', slot: '/s', arch: 'testarch', labels: [], version: '1' }

  const endpoints = [
    ['POST', '/v1/workers'],
    ['POST', '/v1/alive'],
    ['POST', `/v1/runs/${NOBODY}/files`],
    ['POST', `/v1/runs/${NOBODY}/result`],
  ] as const
  for (const [method, path] of endpoints) {
    t.equal(await ask(method, path, about, 'the wrong secret of 16'), 401, `${path}: wrong secret`)
    for (const body of [
      '',
      '{',
      '[]',
      '"text"',
      'null',
      '\0\0',
      '{"worker":{"a":1},"verdict":[],"files":7,"steps":"x","host":5}',
    ])
      t.equal(await ask(method, path, body), 400, `${path}: ${JSON.stringify(body)}`)
    t.equal(await ask(method, path, 'x'.repeat((1 << 20) + 1)), 413, `${path}: too much`)
  }
  for (const bad of ['', 'x', `${NOBODY}'`, '../../x', encodeURIComponent('\0')])
    t.equal(await ask('GET', `/v1/work?worker=${bad}`), 400)
  for (const host of ['', 'a b', '../x', 'a:b', 'x'.repeat(101), 'a\nb'])
    t.equal(await ask('POST', '/v1/workers', { ...about, host }), 400)
  t.equal(await ask('GET', `/v1/work?worker=${NOBODY}`), 410)
  t.equal(await ask('POST', '/v1/alive', { worker: NOBODY }), 410)
  t.equal(await ask('GET', `/v1/runs/${NOBODY}/word?watched=0`), 410)
  t.equal(await ask('GET', '/v1/runs/x/word'), 400)
  t.equal(await ask('POST', `/v1/runs/${NOBODY}/files`, { files: [] }), 410)
  t.equal(await ask('POST', `/v1/runs/${NOBODY}/result`, { verdict: 'success', steps: [], files: [] }), 410)
  t.equal(await ask('PUT', `/v1/runs/${NOBODY}/output?step=a&stream=out&at=0`, 'x'), 410)
  for (const bad of [
    'step=a&stream=out&at=-1',
    'step=%00&stream=out&at=0',
    'step=a&stream=x&at=0',
    'stream=out&at=0',
  ])
    t.equal(await ask('PUT', `/v1/runs/${NOBODY}/output?${bad}`, 'x'), 400, bad)
  t.equal(
    await status(fetch(`${url}/v1/files?key=a&size=1&until=9999999999&sig=00`, { method: 'PUT', body: 'x' })),
    403,
  )
  for (const path of ['/v1/nothing', '/hooks/', '/hooks/..%2f..', '/hooks/hello%00'])
    t.ok((await status(farm.ask(url, 'POST', path, '{}'))) >= 400, path)
  t.equal(await farm.deliver(url, 'push', '{"ref":'), 202, 'signed, and no JSON: kept, and said in its log')
  t.equal(await farm.deliver(url, 'push', '{"ref":"refs/heads/../x"}'), 202)

  // A worker that lies about its attempt: it has one, and tells of another's, and of files elsewhere.
  const register = async (more = {}) =>
    ((await (await farm.ask(url, 'POST', '/v1/workers', { ...about, ...more })).json()) as { worker: string })
      .worker
  // One of a later version says more than we know.
  const [one, two] = [await register({ version: '99', more: { than: ['we', 'know'] } }), await register()]
  await farm.push(url, revision)
  // Two ask; the farmer gives the job to one.
  const asked = [one, two].map(async worker => {
    const answer = await farm.ask(url, 'GET', `/v1/work?worker=${worker}`)
    return { worker, work: (await answer.json()) as { attempt: string } }
  })
  const { worker, work } = await Promise.race(asked)
  const other = worker === one ? two : one
  const word = await (
    await farm.ask(url, 'POST', '/v1/alive', { worker: other, attempt: work.attempt })
  ).json()
  t.same(word, { word: 'lost' }, "another's attempt")
  for (const path of ['../x', '/etc/passwd', 'a//b', 'a/./b', 'a\nb', 'a\\b', ''])
    t.equal(await ask('POST', `/v1/runs/${work.attempt}/files`, { files: [{ path, size: 1 }] }), 400, path)
  const files = [{ path: 'steps/x/stdout.txt', size: 3 }]
  const signed = await (await farm.ask(url, 'POST', `/v1/runs/${work.attempt}/files`, { files })).json()
  const address = (signed as { addresses: Record<string, string> }).addresses['steps/x/stdout.txt']!
  t.equal(await status(fetch(address, { method: 'PUT', body: 'four' })), 400, 'more than was signed')
  t.equal(await status(fetch(address.replace('stdout', 'stderr'), { method: 'PUT', body: 'abc' })), 403)
  t.equal(await status(fetch(address, { method: 'PUT', body: 'abc' })), 200)
  t.equal(
    await ask('POST', `/v1/runs/${work.attempt}/result`, { verdict: 'excellent', steps: [], files }),
    400,
  )
  // No verdict is refused for what PostgreSQL has no character for: half of one, as where a text was cut, and NUL.
  const [half, steps] = ['\ud83d', [] as const]
  const odd = { why: `${half}\0`, about: { place: half, notes: [`${'x'.repeat(999)}😀`] }, steps, files }
  t.equal(await ask('POST', `/v1/runs/${work.attempt}/result`, { verdict: 'success', ...odd }), 200)
  t.equal(await ask('POST', `/v1/runs/${work.attempt}/result`, { verdict: 'failure', steps: [], files }), 200)
  t.match(
    await farm.db`select verdict, error, about from result`,
    [
      {
        verdict: 'success',
        error: '\ufffd',
        about: { place: '\ufffd', notes: [`${'x'.repeat(999)}\ufffd`] },
      },
    ],
    'the first result stands',
  )
  const title = JSON.stringify({
    ref: 'refs/heads/main',
    after: revision,
    pusher: half,
    sender: { login: half },
  })
  await farm.deliver(
    url,
    'push',
    `{"repository":{"full_name":"demo/hello"},"before":null,${title.slice(1)}`,
    { id: 'odd' },
  )
  for (let over = false; !over; await new Promise(done => setTimeout(done, 50)))
    over = (await farm.db`select from delivery where id = 'odd' and body is null`).length === 1
  t.match(
    await farm.db`select tries from delivery where id = 'odd'`,
    [{ tries: 1 }],
    'nor does it hold up others',
  )

  // One that never finishes its request keeps nobody else.
  const slow = connect(Number(new URL(url).port), '127.0.0.1')
  t.teardown(() => slow.destroy())
  slow.write(
    `POST /v1/workers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${SECRET}\r\nContent-Length: 100\r\n\r\n{`,
  )
  t.equal(await status(fetch(`${url}/healthz`)), 200)
  t.equal(farmer.child.exitCode, null)
  t.equal((await farmer.kill('SIGTERM')).code, 0)
})

test('deliveries that nobody signed are kept in memory only so far, all together', async t => {
  const farm = await Farm.make(t)
  const { url } = await farm.farmer()
  const mebibyte = Buffer.from(`100000\r\n${'x'.repeat(1 << 20)}\r\n`)
  const statuses: string[] = []
  const send = async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    t.teardown(() => socket.destroy())
    socket.on('error', () => undefined)
    socket.on('data', (said: Buffer) => statuses.push(said.toString().slice(9, 12)))
    socket.write('POST /hooks/hello HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (let i = 0; i < 24 && !socket.destroyed; i++)
      await new Promise<unknown>(done => {
        socket.once('close', done)
        socket.write(mebibyte, done)
      })
  }
  // None of them ends, and none is too large by itself.
  for (let i = 0; i < 9; i++) await send()
  await eventually('an answer', () => statuses.length > 0)
  t.same([...new Set(statuses)], ['503'])
  t.equal((await fetch(`${url}/healthz`)).status, 200)
})

test('a thousand deliveries at once are all stored, once', async t => {
  const farm = await Farm.make(t)
  const revision = farm.commit({ Testfile: 'one: true\n' })
  const farmer = await farm.farmer()
  const COUNT = process.env['FARM'] === 'long' ? 1000 : 200
  const times: number[] = []
  const statuses = await Promise.all(
    Array.from({ length: COUNT }, async (_, i) => {
      const began = performance.now()
      const status = await farm.push(farmer.url, revision, { id: `burst-${i}` })
      times.push(performance.now() - began)
      return status
    }),
  )
  t.same([...new Set(statuses)], [202])
  const [row] = await farm.db<{ n: number }[]>`select count(*)::int as n from delivery`
  t.equal(row!.n, COUNT)
  // Killed with all of them in hand, another goes on.
  await farmer.kill('SIGKILL')
  await farm.farmer()
  for (let n = 0; n < 1; await new Promise(done => setTimeout(done, 100)))
    n = (await farm.db<{ n: number }[]>`select count(*)::int as n from job`)[0]!.n
  t.equal((await farm.db`select 1 from job`).length, 1, 'its jobs are queued once')
  times.sort((a, b) => a - b)
  t.comment(`${COUNT} deliveries at once: the slowest answer after ${times.at(-1)!.toFixed(0)} ms`)
})

test('a farmer whose database is away, and one that ends, say so once and not for each worker', async t => {
  const farm = await Farm.make(t)
  const farmer = await farm.farmer()
  const about = { host: 'h', slot: '/x', arch: 'a', labels: [], version: '1' }
  const answer = await farm.ask(farmer.url, 'POST', '/v1/workers', about)
  const { worker } = (await answer.json()) as { worker: string }
  const alive = () => farm.ask(farmer.url, 'POST', '/v1/alive', { worker })
  t.equal((await alive()).status, 200)
  await farm.db`alter table worker rename to away`
  const answers = await Promise.all(Array.from({ length: 20 }, alive))
  t.same([...new Set(answers.map(({ status }) => status))], [503])
  t.same(await answers[0]!.json(), { error: 'the signs of life cannot be written' })
  await farm.db`alter table away rename to worker`
  t.equal((await alive()).status, 200)
  const left = Array.from({ length: 20 }, () => alive().catch(() => undefined))
  await farmer.kill('SIGTERM')
  await Promise.all(left)
  t.equal(farmer.stderr().match(/signs of life/g)?.length, 1, farmer.stderr())
  t.notMatch(farmer.stderr(), /unable to serve/)
})

test('who asks while a farmer starts has the answer when it has started', async t => {
  const farm = await Farm.make(t)
  const { url, kill } = await farm.farmer()
  await kill('SIGTERM')
  let isStarted = false
  const started = farm.farmer({ FARMER_LISTEN: new URL(url).host }).finally(() => (isStarted = true))
  const answers = new Set<number>()
  while (!isStarted) {
    const status = await fetch(`${url}/healthz`).then(
      answer => answer.status,
      () => undefined,
    )
    if (status !== undefined) answers.add(status)
  }
  await started
  t.same([...answers], [200])
})
