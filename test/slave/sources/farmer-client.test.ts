import { createHash } from 'node:crypto'
import { truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'tap'
import type { Test } from 'tap'

import { FarmerClient, NotTaken, putFile } from '../../../slave/sources/farmer-client.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

type Answer = (request: IncomingMessage, response: ServerResponse) => unknown

async function serve(t: Test, answer: Answer): Promise<string> {
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`
}

const NEVER = new AbortController().signal

test('a file of any size is stored as it is, in little memory', async t => {
  const sandbox = new Sandbox(t)
  let told: string[] = []
  const address = await serve(t, async (request, response) => {
    const hash = createHash('sha256')
    let size = 0
    for await (const chunk of request as AsyncIterable<Buffer>) {
      hash.update(chunk)
      size += chunk.length
    }
    told = [request.method!, request.headers['content-length']!, String(size), hash.digest('hex')]
    response.end()
  })
  const put = async (size: number) => {
    await putFile(address, sandbox.path('file'), size, NEVER)
    return told
  }
  writeFileSync(sandbox.path('file'), 'hello, world')
  const hashOf = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')
  t.same(await put(12), ['PUT', '12', '12', hashOf('hello, world')])
  t.same(await put(5), ['PUT', '5', '5', hashOf('hello')], 'what is written later is not told of')
  t.same(await put(0), ['PUT', '0', '0', hashOf('')])
  await t.rejects(put(13), { message: /it has become shorter$/ })

  const large = 200 << 20
  truncateSync(sandbox.path('file'), large)
  const before = process.memoryUsage.rss()
  let most = 0
  const look = setInterval(() => (most = Math.max(most, process.memoryUsage.rss() - before)), 5)
  t.same((await put(large)).slice(0, 3), ['PUT', String(large), String(large)])
  clearInterval(look)
  t.ok(most < large / 2, `${most} bytes`)
})

test('what a store refuses is said, and a store that is told to stop is left', async t => {
  const sandbox = new Sandbox(t)
  writeFileSync(sandbox.path('file'), 'hello')
  const refuses = await serve(t, (request, response) => {
    request.resume()
    response.writeHead(403).end('<Error/>')
  })
  await t.rejects(putFile(refuses, sandbox.path('file'), 5, NEVER), { message: /: 403 Forbidden$/ })
  const silent = await serve(t, request => request.resume())
  await t.rejects(putFile(silent, sandbox.path('file'), 5, AbortSignal.timeout(50)))
})

test('what a farmer will never take is told apart from a farmer that is away', async t => {
  let status = 400
  const address = await serve(t, (_, response) =>
    response.writeHead(status).end('{"error":"a step has no state"}'),
  )
  const client = new FarmerClient(new URL(address).origin, undefined)
  const ask = () => client.ask('POST', '/v1/runs/1/result', {})
  await t.rejects(ask(), {
    constructor: NotTaken,
    message: "unable to ask the farmer for 'POST /v1/runs/1/result': 400: a step has no state",
  })
  status = 500
  await t.rejects(ask(), { exitCode: 111, message: /: 500: / })
})

test('a redirection is said and not followed, for the secret is for one farmer', async t => {
  const heard: (string | undefined)[] = []
  const elsewhere = await serve(t, (request, response) => {
    heard.push(request.headers.authorization)
    response.end('{}')
  })
  const address = await serve(t, (_, response) => response.writeHead(301, { Location: elsewhere }).end())
  const client = new FarmerClient(new URL(address).origin, 'secret')
  await t.rejects(client.ask('GET', '/v1/work?worker=1'), {
    exitCode: 111,
    message: `unable to ask the farmer for 'GET /v1/work': 301: it says that FARMER_URL is '${elsewhere}'`,
  })
  t.same(heard, [])
})

test('who waits no longer hears why, in whatever state the answer is', async t => {
  const silent = await serve(t, () => undefined)
  const half = await serve(t, (_, response) => response.writeHead(200).write('{'))
  for (const address of [silent, half]) {
    const client = new FarmerClient(new URL(address).origin, undefined)
    await t.rejects(client.ask('GET', '/v1/work', undefined, AbortSignal.timeout(100)), {
      name: 'TimeoutError',
    })
    const stop = new AbortController()
    const asked = client.ask('GET', '/v1/work', undefined, stop.signal)
    stop.abort(new Error('told to stop'))
    await t.rejects(asked, { message: 'told to stop' })
  }
})

test('an answer that ends early is an error', async t => {
  const address = await serve(t, (_, response) => {
    response.writeHead(200, { 'Content-Length': 100 }).write('{"at":1')
    setTimeout(() => response.destroy(), 50)
  })
  await t.rejects(new FarmerClient(new URL(address).origin, undefined).ask('GET', '/v1/work'))
})
