// Deliveries over real connections: many at once, and by senders who mean no good.

import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent, createServer, request } from 'node:http'
import type { IncomingMessage, RequestListener } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { test } from 'tap'
import type { Test } from 'tap'

import { parseForge } from '../../../lib/forge/parse-forge.ts'
import { BodyReader, Unread } from '../../../lib/forge/body.ts'
import { hooksListener } from '../../../master/receive/listener.ts'
import { eventually, Sandbox } from '../../fixtures/sandbox.ts'

const SECRET = 'a secret of some length'
const NEW = 'spool/inbox/hello/new'

async function listen(t: Test, listener: RequestListener): Promise<number> {
  const server = createServer(listener)
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

async function receiver(t: Test) {
  const sandbox = new Sandbox(t)
  sandbox.makeSpool()
  const forge = parseForge('github:o/r')
  const port = await listen(
    t,
    hooksListener(sandbox.spool, project => (project === 'hello' ? { forge, secret: SECRET } : undefined)),
  )
  return { sandbox, port }
}

const payload = (n: number) =>
  JSON.stringify({ ref: `refs/heads/b${n}`, before: 'a'.repeat(40), after: 'b'.repeat(40) })

const headersOf = (body: string, id: string) => ({
  'X-GitHub-Event': 'push',
  'X-GitHub-Delivery': id,
  'X-Hub-Signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
})

const post = (port: number, body: string, id: string, agent?: Agent): Promise<string> =>
  new Promise((done, failed) => {
    const headers = headersOf(body, id)
    const sent = request(
      { port, host: '127.0.0.1', path: '/hooks/hello', method: 'POST', headers, agent },
      answer => {
        let text = `${answer.statusCode} `
        answer.setEncoding('utf8').on('data', (part: string) => (text += part))
        answer.on('end', () => done(text.trim()))
      },
    )
    sent.on('error', failed).end(body)
  })

/** A connection that says this and no more. */
function say(t: Test, port: number, text: string): Socket {
  const socket = connect(port, '127.0.0.1', () => socket.write(text))
  socket.on('error', () => undefined)
  t.teardown(() => socket.destroy())
  return socket
}

const head = (length: number, id = 'slow') =>
  `POST /hooks/hello HTTP/1.1\r\nHost: x\r\nX-GitHub-Event: push\r\nX-GitHub-Delivery: ${id}\r\nContent-Length: ${length}\r\n\r\n`

test('of a burst of 1,000 deliveries, each sent twice, each is stored once', async t => {
  const { sandbox, port } = await receiver(t)
  const agent = new Agent({ keepAlive: true, maxSockets: 32 })
  t.teardown(() => agent.destroy())
  const twice = Array.from({ length: 2000 }, (_, i) => Math.floor(i / 2))
  const answers = await Promise.all(twice.map(n => post(port, payload(n), `d-${n}`, agent)))
  const stored = answers.filter(answer => answer.startsWith('202 stored as'))
  t.equal(stored.length, 1000)
  t.equal(answers.filter(answer => / was here before$/.test(answer)).length, 1000)
  t.equal(sandbox.ls(NEW).length, 1000)
  const text = readFileSync(join(sandbox.spool.root, 'inbox/hello/new/d-999'), 'utf8')
  t.equal(text.slice(text.indexOf('\n') + 1), payload(999))
  t.same(sandbox.ls('spool/tasks/tmp'), [])
})

test('a body that is cut off is not stored, and nobody is kept out by what is announced and not sent', async t => {
  const { sandbox, port } = await receiver(t)
  for (let i = 0; i < 20; i++) say(t, port, head(25 << 20, `slow-${i}`))
  const cut = say(t, port, head(1000, 'cut') + payload(1))
  await new Promise(done => setTimeout(done, 100))
  cut.destroy()
  t.equal(await post(port, payload(2), 'good'), '202 stored as good')
  t.same(sandbox.ls(NEW), ['good'])
})

test('a body without a length is counted as it comes', async t => {
  const { sandbox, port } = await receiver(t)
  const status = await new Promise<number>(done => {
    const sent = request({ port, host: '127.0.0.1', path: '/hooks/hello', method: 'POST' }, answer => {
      done(answer.statusCode!)
      sent.destroy()
    })
    sent.on('error', () => undefined)
    const mebibyte = Buffer.alloc(1 << 20)
    for (let i = 0; i < 26; i++) sent.write(mebibyte)
  })
  t.equal(status, 413)
  t.same(sandbox.ls('spool/inbox'), [])
})

test('what is no delivery is answered all the same', async t => {
  const { port } = await receiver(t)
  const at = `http://127.0.0.1:${port}`
  const status = async (path: string, method = 'POST') =>
    (await fetch(at + path, { method, ...(method === 'POST' ? { body: '{}' } : {}) })).status
  t.equal(await status('/hooks/hello', 'GET'), 405)
  t.equal(await status('/hooks/hello'), 401)
  for (const path of ['/hooks/', '/hooks/no', '/hooks/%ff', '/hooks/hello/more', '/hooks/%2e%2e', '/'])
    t.equal(await status(path), 404, path)
})

test('bodies that come slowly, or too many at once, are given up', async t => {
  const port = await listen(t, (request, response) => {
    const slow = new BodyReader(50).read(request)
    void slow.catch((error: unknown) => response.writeHead((error as Unread).status).end())
  })
  const socket = say(t, port, head(100))
  let said = ''
  socket.on('data', (part: Buffer) => (said += part.toString()))
  await eventually('an answer', () => said.startsWith('HTTP/1.1 408'))

  const reader = new BodyReader(60_000, 15)
  const seen: IncomingMessage[] = []
  const statuses: (number | string)[] = []
  const busy = await listen(t, request => {
    seen.push(request)
    reader.read(request).then(
      body => statuses.push(body.toString()),
      (error: unknown) => statuses.push((error as Unread).status),
    )
  })
  const first = say(t, busy, head(12) + 'x'.repeat(10))
  await eventually('the first is being read', () => seen.length === 1)
  await new Promise(done => setTimeout(done, 50))
  say(t, busy, head(10) + 'y'.repeat(10))
  await eventually('the second is refused', () => statuses[0] === 503)
  first.write('xx')
  await eventually('the first is not', () => statuses[1] === 'x'.repeat(12))
})

test('a body that comes byte by byte takes no more memory than its bytes', async t => {
  let seen = 0
  const port = await listen(t, (request, response) => {
    request.on('data', (chunk: Buffer) => (seen += chunk.length))
    void new BodyReader().read(request).then(body => response.end(String(body.equals(expected))))
  })
  const bytes = 'abcdefghij'.repeat(1000)
  const [ROUNDS, chunks] = [60, Buffer.from(bytes.replace(/./g, '1\r\n$&\r\n'))]
  const expected = Buffer.from(bytes.repeat(ROUNDS))
  const socket = say(t, port, '')
  socket.write('POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n')
  let said = ''
  socket.on('data', (part: Buffer) => (said += part.toString()))
  const before = process.memoryUsage.rss()
  for (let i = 0; i < ROUNDS; i++) await new Promise(done => socket.write(chunks, done))
  await eventually('all of it', () => seen === expected.length)
  const grown = process.memoryUsage.rss() - before
  t.ok(grown < 100 << 20, `${grown >> 20} MiB for ${expected.length} bytes`)
  socket.write('0\r\n\r\n')
  await eventually('an answer', () => said.endsWith('true') || said.includes('\r\ntrue\r\n'))
})
