import { createHmac } from 'node:crypto'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'tap'

import type { Notice } from '../../../master/notify/notice.ts'
import { webhookDeliverer } from '../../../master/notify/webhook.ts'
import { Notified } from '../../fixtures/notified.ts'
import { HookServer } from '../../fixtures/receivers.ts'
import { eventually } from '../../fixtures/sandbox.ts'

const KEY = '0123456789abcdef0123456789abcdef'

test('a webhook gets the notice as signed JSON, with what show --json says of the task and no paths', async t => {
  const server = await HookServer.open(t)
  const site = new Notified(t, { NOTIFY_WEBHOOK: server.url, NOTIFY_KEY: KEY })
  await site.notifier()
  const name = site.end('failure')
  await site.settled()
  const [{ headers, body }, ...more] = server.deliveries as [(typeof server.deliveries)[0]]
  t.same(more, [])
  t.equal(headers['x-bass-signature'], `sha256=${createHmac('sha256', KEY).update(body).digest('hex')}`)
  t.equal(headers['content-type'], 'application/json')
  const notice = JSON.parse(body) as Notice
  t.equal(headers['x-bass-delivery'], notice.id)
  const shown = JSON.parse(
    site.ok('bin/bass', ['show', '--json', name], { env: { LOST_AFTER: '60' } }),
  ) as Notice['task']
  const { job, ...task } = notice.task
  t.match(shown, task)
  t.same({ ...job, slot: '/slots/0' }, shown.job)
  t.notMatch(body, site.dir)
  t.same(
    [notice.stage, notice.change, notice.lastLines.map(({ text }) => text)],
    ['over', 'broken', ['hello']],
  )
})

test('a notice that is refused lets others pass, and one that meets an outage waits for its end with them', async t => {
  const server = await HookServer.open(t)
  const site = new Notified(t, { NOTIFY_WEBHOOK: `failures:${server.url}`, NOTIFY_KEY: KEY })
  const quick = site.channel('quick.failures')
  const numOf = (body: string) => (JSON.parse(body) as Notice).task.num
  let [refused, away] = [0, 0]
  let back = false
  server.status = ({ body }) => {
    const num = numOf(body)
    if (num === 1 && refused++ < 2) return 422
    if (num >= 3 && !back) return (away++, 503)
    return 200
  }
  const notifier = await site.notifier()
  for (let i = 0; i < 5; i++) site.end('failure')
  await eventually('the outage', () => away >= 2)
  await eventually('the other channel has been told all', () => site.told(quick).length === 5)
  t.match(
    notifier.stderr(),
    /unable to tell 'hello\/webhook-127\.0\.0\.1-[0-9a-f]{12} 1\.over': it answered 422/,
  )
  back = true
  await site.settled()
  const told = server.deliveries.map(({ body }) => numOf(body))
  t.same(
    told.filter(num => num !== 1),
    [2, 3, 4, 5],
  )
  t.same([...told].sort(), [1, 2, 3, 4, 5])
  t.equal(new Set(server.deliveries.map(({ headers }) => headers['x-bass-delivery'])).size, 5)
})

test('what is secret in the URL of a webhook reaches its server, and no log, message or file name', async t => {
  const server = await HookServer.open(t)
  const secrets = ['hush-password', 'hush-path', 'hush-query']
  const address = (url: string) => `${url.replace('://', '://ada:hush-password@')}/hush-path?key=hush-query`
  const site = new Notified(t, {
    // One that answers, one where nobody listens, one whose name nobody knows, and one that speaks no TLS.
    NOTIFY_WEBHOOK: [
      address(new URL(server.url).origin),
      address('http://127.0.0.1:1'),
      address('http://nowhere.invalid'),
      address(new URL(server.url).origin.replace('http:', 'https:')),
    ]
      .map(url => `all:${url}`)
      .join(' '),
    NOTIFY_KEY: KEY,
  })
  let asked = 0
  server.status = () => (asked++ === 0 ? 503 : 200)
  const notifier = await site.notifier()
  site.end('failure')
  await eventually('all have failed', () => notifier.stderr().split('unable to tell').length > 3)
  await eventually('one is told', () => server.deliveries.length > 0)
  t.equal(
    server.deliveries[0]!.headers.authorization,
    `Basic ${Buffer.from('ada:hush-password').toString('base64')}`,
  )
  const names = site.ok('find', [site.spool.root])
  const { stdout, stderr } = site.run('bin/bass', ['doctor'])
  await notifier.kill('SIGTERM')
  site.configure({ NOTIFY_WEBHOOK: address('ftp://example.org'), NOTIFY_KEY: KEY })
  const refused = site.run('master/bin/notifier')
  t.match(refused.stderr, 'NOTIFY_WEBHOOK')
  for (const text of [notifier.stderr(), names, stdout, stderr, refused.stderr])
    for (const secret of secrets) t.notMatch(text, secret)
})

test('a webhook whose answer comes drop by drop is away when its time is over', async t => {
  const server = createServer(client => {
    let rest = 'HTTP/1.1 204 No Content\r\n' + 'X: y\r\n'.repeat(100)
    const drip = setInterval(() => {
      client.write(rest[0]!)
      rest = rest.slice(1)
    }, 50)
    client.on('error', () => undefined).on('close', () => clearInterval(drip))
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => server.close())
  const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const deliver = webhookDeliverer({ target }, { NOTIFY_KEY: KEY }, 300)
  await t.rejects(deliver({ id: 'i', stage: 'over' } as Notice, '{}'), {
    message: 'it takes longer than 0.3s',
  })
})
