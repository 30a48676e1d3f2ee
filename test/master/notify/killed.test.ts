// Killed at random instants, and started again: everything is told, and what is told twice has one id.

import { test } from 'tap'

import { linesOf, Notified } from '../../fixtures/notified.ts'
import { header, HookServer, PostOffice } from '../../fixtures/receivers.ts'

const KEY = '0123456789abcdef0123456789abcdef'
const ROUNDS = 8
const JOBS = 4

test('a notifier that is killed again and again tells each channel everything, under one id', async t => {
  const [office, server] = [
    await PostOffice.open(t, { disabledCommands: ['STARTTLS', 'AUTH'] }),
    await HookServer.open(t),
  ]
  const site = new Notified(t, {
    NOTIFY_MAIL: 'failures:ada@example.org',
    NOTIFY_MAILER: `smtp://127.0.0.1:${office.port}`,
    NOTIFY_WEBHOOK: `all:${server.url}`,
    NOTIFY_KEY: KEY,
  })
  const log = site.channel('changes')
  let notifier = await site.notifier()
  const wanted = { failures: new Set<string>(), all: new Set<string>(), changes: new Set<string>() }
  let before = 'success'
  for (let round = 0, num = 0; round < ROUNDS; round++) {
    for (let i = 0; i < JOBS; i++) {
      num++
      const verdict = Math.random() < 0.5 ? 'failure' : 'success'
      site.end(verdict)
      for (const stage of ['waiting', 'running', 'over']) wanted.all.add(`${num}.${stage}`)
      if (verdict === 'failure') wanted.failures.add(`${num}.over`)
      if (verdict !== before) wanted.changes.add(`${num}.over`)
      before = verdict
    }
    await new Promise(done => setTimeout(done, Math.random() * 150))
    await notifier.kill('SIGKILL')
    notifier = await site.notifier()
  }
  await site.settled()
  const told = {
    failures: office.letters.map(letter => header(letter, 'x-bass-delivery')),
    all: server.deliveries.map(({ headers }) => String(headers['x-bass-delivery'])),
    changes: linesOf(log).map(line => line.split(' ')[0]!),
  }
  for (const channel of ['failures', 'all', 'changes'] as const) {
    const ids = new Set(told[channel])
    const keys = [...ids].map(id => id.slice(0, id.lastIndexOf('.')))
    t.equal(new Set(keys).size, keys.length, `${channel}: nothing has two ids`)
    t.same(new Set(keys), wanted[channel], `${channel}: all that was wanted, and nothing else`)
    t.ok(told[channel].length <= ids.size + ROUNDS, `${channel}: at most one twice for each crash`)
  }
})
