import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { channelsOf } from '../../../master/notify/channels.ts'

test('channels are addresses, URLs and executables, each with its policy', async t => {
  const directory = join(t.testdir(), 'notify.d')
  mkdirSync(directory)
  for (const name of ['10-matrix.all', 'log', '.hidden', 'notes.txt'])
    writeFileSync(join(directory, name), '')
  for (const name of ['10-matrix.all', 'log', '.hidden']) chmodSync(join(directory, name), 0o755)
  const env = {
    NOTIFY_MAIL: 'ada@example.org\n failures:bob+ci@example.org',
    NOTIFY_WEBHOOK: 'all:https://chat.example.org/hooks/s3cret?x=all:y http://[::1]:80/',
    NOTIFY_REFS: 'no',
  }
  const channels = channelsOf('hello', directory, env)
  t.same(
    channels.map(({ kind, policy, target }) => [kind, policy, target.replace(directory, '.')]),
    [
      ['mail', 'changes', 'ada@example.org'],
      ['mail', 'failures', 'bob+ci@example.org'],
      ['webhook', 'all', 'https://chat.example.org/hooks/s3cret?x=all:y'],
      ['webhook', 'changes', 'http://[::1]:80/'],
      ['program', 'all', './10-matrix.all'],
      ['program', 'changes', './log'],
    ],
  )
  for (const { name } of channels) t.match(name, /^(mail|webhook|program)-[A-Za-z0-9._+~@-]+$/)
  t.notMatch(channels[2]!.name, 's3cret')
  t.equal(new Set(channels.map(({ name }) => name)).size, 6)
})

test('what is neither is refused, and what may be secret is not repeated', async t => {
  const refused = (env: Record<string, string>) => {
    try {
      channelsOf('hello', '/none', { NOTIFY_REFS: 'no', ...env })
    } catch (error) {
      return String(error)
    }
    return 'accepted'
  }
  t.match(refused({ NOTIFY_MAIL: 'ada' }), "unable to read the setting NOTIFY_MAIL: 'ada' is not")
  t.match(refused({ NOTIFY_MAIL: 'sometimes:ada@example.org' }), 'NOTIFY_MAIL')
  t.match(refused({ NOTIFY_MAIL: 'a@b.org all:a@b.org' }), 'named twice')
  t.match(refused({ NOTIFY_WEBHOOK: 'ftp://example.org/s3cret' }), 'NOTIFY_WEBHOOK')
  t.notMatch(refused({ NOTIFY_WEBHOOK: 'ftp://example.org/s3cret' }), 's3cret')
  t.match(refused({ NOTIFY_REFS: 'maybe' }), "unable to read the setting NOTIFY_REFS: 'maybe' is not one of")
})
