// An executor may be another program than ours: a command that runs as root in a container can take it over. Whatever it says,
// its client ends with a sentence, in memory that is bounded, and other commands notice nothing.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import type { Test } from 'tap'

import { bringBack } from '../../lib/exec/bring-back.ts'
import { ExecutorClient } from '../../lib/exec/client.ts'
import { eventually, lacks, ROOT, Sandbox } from '../fixtures/sandbox.ts'

const skip = lacks('/usr/bin/python3')

async function meetStranger(t: Test): Promise<ExecutorClient> {
  const sandbox = new Sandbox(t)
  const stubs = sandbox.path('py')
  mkdirSync(stubs)
  const out = [`--python_out=${stubs}`, `--grpc_python_out=${stubs}`]
  const proto = ['-I', join(ROOT, 'lib/exec'), ...out, 'executor.proto']
  sandbox.ok('/usr/bin/python3', ['-m', 'grpc_tools.protoc', ...proto])
  const address = `unix:${sandbox.path('socket')}`
  const program = join(ROOT, 'test/fixtures/hostile-executor.py')
  const server = sandbox.start('/usr/bin/python3', [program, stubs, address])
  await eventually('it serves', () => server.stdout().includes('ready'), 60)
  const client = await ExecutorClient.connect(address, 'secret', 20_000)
  t.teardown(() => client.close())
  return client
}

test('what no executor says ends its command with a sentence, and no other', { skip }, async t => {
  const client = await meetStranger(t)
  const nonsense = (why: RegExp | string) => ({ exitCode: 111, message: why })
  const said: string[] = []
  // It lasts as long as all others.
  const other = client.execute({ command: ['silent'] })
  const cases: [what: string, why: RegExp][] = [
    ['strange-stream', /unable to understand the executor: it says something on the stream 7$/],
    ['gap', /understand the executor: byte 5 of the stream 1 follows on 1 bytes$/],
    ['again', /understand the executor: byte 0 of the stream 1 follows on 1 bytes$/],
    ['far', /understand the executor: byte 1844\d+ of the stream 1 follows on 0 bytes$/],
    ['negative-exit', /understand the executor: a command cannot exit with -1$/],
    ['large-exit', /understand the executor: a command cannot exit with 2147483647$/],
    ['odd-signal', /understand the executor: there is no signal KILL\\x0asuccess$/],
    ['no-checksum', /understand the executor: an archive without a checksum$/],
    ['many-names', /run many-names there: .*more than 1000000 names$/],
    ['many-names-twice', /run many-names-twice there: .*more than 1000000 names$/],
    ['huge', /run huge there: Received message larger than max /],
    ['nothing', /unable to hear how it ended|run nothing there/],
  ]
  for (const [what, why] of cases)
    await t.rejects(client.execute({ name: what, command: [what] }).result, nonsense(why), what)
  const sentence = (await client.execute({ command: ['long-sentence'] }).result).error
  t.equal(sentence.length, 500)
  t.match(await client.execute({ command: ['taken'], wantInput: true }).result, { exitCode: 0 })
  t.match(await client.execute({ command: ['after'] }).result, { exitCode: 4 })
  let words = 0
  let longest = 0
  const log = ({
    message,
    attributes,
  }: {
    message: string
    attributes: Readonly<Record<string, string>>
  }) => {
    words++
    longest = Math.max(longest, message.length, attributes['key']!.length)
  }
  t.match(await client.execute({ command: ['talk'] }, { log }).result, { exitCode: 0 })
  t.same([words, longest], [100, 500])
  const hello = client.execute(
    { command: ['hello'] },
    { output: (_, data) => void said.push(data.toString()) },
  )
  t.match(await hello.result, { exitCode: 0 })
  t.same(said, ['hello'])
  t.ok(process.memoryUsage().rss < 600e6, `${process.memoryUsage().rss} bytes of memory`)
  const lost = t.rejects(other.result)
  other.abandon()
  await lost
})

test('one that does not end when it is killed is given up', { skip }, async t => {
  const client = await meetStranger(t)
  const given = ['silent', 'endless'].map(async what => {
    const execution = client.execute({ name: what, command: [what] })
    execution.cancel()
    const message = `unable to kill ${what} there: its executor does not say that it ended`
    await t.rejects(execution.result, { exitCode: 111, message })
  })
  await Promise.all(given)
})

test('an archive without an end has one', { skip }, async t => {
  const client = await meetStranger(t)
  const sandbox = new Sandbox(t)
  const result = await client.execute({ command: ['padding'] }).result
  const out = sandbox.path('out')
  mkdirSync(out)
  await t.rejects(bringBack(client, result, out, 'named', { maxBytes: 1 << 20 }), {
    exitCode: 100,
    message: 'unable to bring back what it changed: it is larger than BUNDLE_MAX allows',
  })
  t.same(sandbox.ls('out'), [])
})
