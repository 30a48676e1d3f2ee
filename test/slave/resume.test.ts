// Who comes back to an execution, by what, and until when.

import { createHash, randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ClientDuplexStream } from '@grpc/grpc-js'
import { test } from 'tap'

import { ExecutorClient } from '../../lib/exec/client.ts'
import { loadProtocol } from '../../lib/exec/libraries.ts'
import { PATIENCE_MAX, SECRET as SECRET_KEY, VERSION } from '../../lib/exec/protocol.ts'
import type { ServerMessage } from '../../lib/exec/protocol.ts'
import { isLong } from '../fixtures/conformance.ts'
import { fragile, runShell, SECRET, startExecutor } from '../fixtures/executor.ts'
import { eventually } from '../fixtures/sandbox.ts'

test('a client that does not come back in time has its command ended, and no other', async t => {
  const { sandbox, client } = await startExecutor(t)
  const way = await fragile(t, sandbox)
  const other = await ExecutorClient.connect(way.address, SECRET, 20_000)
  t.teardown(() => other.close())
  const nap = `1000.${process.pid}5`
  // The long form asks for more than anybody has.
  const [patience, served] = isLong ? [PATIENCE_MAX + 5000, PATIENCE_MAX] : [500, 500]
  const wish = { command: ['sleep', nap], inherit: true, patience }
  const lost = other.execute(wish)
  const failed = t.rejects(lost.result, { exitCode: 111, message: /run it there/ })
  const running = () => sandbox.run('pgrep', ['-f', `sleep ${nap}`]).code === 0
  await eventually('it runs', running)
  way.close()
  const began = performance.now()
  await eventually('it ended', () => !running(), 60)
  t.ok(performance.now() - began > 0.9 * served, 'and not before')
  await failed
  t.match((await runShell(client, 'echo still here')).said, ['still here\n', ''])
})

test('a client whose connection is cut goes on where it was, and misses and repeats nothing', async t => {
  const { sandbox } = await startExecutor(t)
  const way = await fragile(t, sandbox)
  const client = await ExecutorClient.connect(way.address, SECRET, 20_000)
  t.teardown(() => client.close())
  let said = ''
  const wish = {
    command: [
      'sh',
      '-c',
      'i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i + 1)); [ $((i % 200)) != 0 ] || sleep 0.1; done',
    ],
    inherit: true,
    patience: 20_000,
  }
  const execution = client.execute(wish, { output: (_, data) => void (said += data.toString()) })
  for (let cuts = 0; cuts < 3; cuts++) {
    await sleep(250)
    way.cut()
  }
  t.match(await execution.result, { exitCode: 0, error: '' })
  t.equal(said, Array.from({ length: 2000 }, (_, i) => `line ${i}\n`).join(''))
})

test('a command that says nothing outlives losses that are further apart than its patience', async t => {
  const { sandbox } = await startExecutor(t)
  const way = await fragile(t, sandbox)
  const client = await ExecutorClient.connect(way.address, SECRET, 20_000)
  t.teardown(() => client.close())
  const words: string[] = []
  const patience = 4000
  const wish = {
    command: ['sh', '-c', `until [ -e '${sandbox.path('go')}' ]; do sleep 0.1; done; exit 5`],
    inherit: true,
    patience,
  }
  const execution = client.execute(wish, { log: ({ message }) => void words.push(message) })
  const backs = () => words.filter(word => word === 'the connection is back').length
  await eventually('it runs', () => words.includes('started'))
  for (const times of [1, 2]) {
    way.cut()
    await eventually('it hears that it is back', () => backs() === times, 10)
    await sleep(patience + 500)
  }
  writeFileSync(sandbox.path('go'), '')
  t.match(await execution.result, { exitCode: 5, error: '' })
})

test('an archive whose connection is cut goes on where it was', async t => {
  const { sandbox } = await startExecutor(t)
  const way = await fragile(t, sandbox)
  const client = await ExecutorClient.connect(way.address, SECRET, 20_000, { patience: 20_000 })
  t.teardown(() => client.close())
  const contentRoot = sandbox.path('made')
  mkdirSync(contentRoot)
  const command = ['sh', '-c', 'head -c 20000000 /dev/urandom >random']
  const wish = { command, inherit: true, directory: contentRoot, contentRoot, wantArchive: true }
  const { archive, archiveBytes, archiveSha256 } = await client.execute(wish).result
  const hash = createHash('sha256')
  let bytes = 0
  for await (const piece of client.fetch(archive)) {
    const before = bytes
    hash.update(piece)
    bytes += piece.length
    for (const at of [1, 10_000_000]) if (before < at && bytes >= at) way.cut()
  }
  t.same([bytes, hash.digest('hex')], [archiveBytes, archiveSha256.toString('hex')])
})

test('input that was on its way when a connection was cut arrives, and once', async t => {
  const { sandbox } = await startExecutor(t)
  const way = await fragile(t, sandbox)
  const client = await ExecutorClient.connect(way.address, SECRET, 20_000)
  t.teardown(() => client.close())
  let said = ''
  const execution = client.execute(
    { command: ['cat'], inherit: true, wantInput: true, patience: 20_000 },
    { output: (_, data) => void (said += data.toString()) },
  )
  const lines = Array.from({ length: 60 }, (_, i) => `${i} ${'x'.repeat(50_000)}\n`)
  for (const [i, line] of lines.entries()) {
    if (!execution.input(Buffer.from(line))) await execution.drained()
    if (i % 20 === 10) way.cut()
  }
  way.cut()
  execution.endInput()
  t.match(await execution.result, { exitCode: 0, error: '' })
  t.ok(said === lines.join(''), `${said.length} bytes of ${lines.join('').length}`)
})

test('a cancel that was on its way when a connection was cut arrives', async t => {
  const { sandbox } = await startExecutor(t)
  const way = await fragile(t, sandbox)
  const client = await ExecutorClient.connect(way.address, SECRET, 20_000)
  t.teardown(() => client.close())
  const execution = client.execute({ command: ['sleep', '1000'], inherit: true, patience: 20_000 })
  await sleep(500)
  way.cut()
  execution.cancel()
  t.match(await execution.result, { signal: 'KILL' })
})

test('signals that were on their way when a connection was cut arrive, each once', async t => {
  const { sandbox } = await startExecutor(t)
  const way = await fragile(t, sandbox)
  const client = await ExecutorClient.connect(way.address, SECRET, 20_000)
  t.teardown(() => client.close())
  let said = ''
  const script =
    'n=0; trap "n=\\$((n + 1)); echo \\$n" USR1; trap "exit 7" TERM; echo up; while :; do sleep 0.05; done'
  const execution = client.execute(
    { command: ['sh', '-c', script], inherit: true, patience: 20_000 },
    {
      output: (stream, data) => {
        if (stream === 1) said += data.toString()
      },
    },
  )
  await eventually('it runs', () => said === 'up\n')
  for (let signals = 1; signals <= 4; signals++) {
    // Some are sent to nobody, some are taken and nobody hears of it.
    if (signals % 2 === 0) way.cut()
    execution.signal('USR1')
    if (signals % 2 === 1) way.cut()
    await eventually('it arrived', () => said.includes(`${signals}\n`))
  }
  execution.signal('TERM')
  way.cut()
  t.match(await execution.result, { exitCode: 7 })
  t.equal(said, 'up\n1\n2\n3\n4\n')
})

/** A call of Execute, which nothing has been written to, by whoever has this secret. */
async function calls(address: string, secret: string) {
  const { grpc, Executor } = loadProtocol()
  const client = new Executor(address, grpc.credentials.createInsecure())
  const metadata = new grpc.Metadata()
  metadata.set(SECRET_KEY, secret)
  const call = (
    client as unknown as { Execute: (metadata: unknown) => ClientDuplexStream<object, ServerMessage> }
  ).Execute(metadata)
  return { call, close: () => client.close() }
}

/**
 * Asks for an execution with any secret and id, as a stranger may; returns the status, or what came first. Who is let in may
 * hear nothing for long.
 */
async function resume(
  address: string,
  secret: string,
  id: string,
): Promise<number | ServerMessage | 'let in'> {
  const { call, close } = await calls(address, secret)
  try {
    return await new Promise(done => {
      call.once('data', done).on('error', ({ code }: Error & { readonly code?: number }) => done(code ?? -1))
      setTimeout(done, 10_000, 'let in').unref()
      call.write({ resume: { version: VERSION, id, stdout: 0, stderr: 0 } })
    })
  } finally {
    close()
  }
}

test('what makes no sense is refused in words, and its command ends', async t => {
  const { sandbox, client, address } = await startExecutor(t)
  const nap = `1000.${process.pid}6`
  const start = { version: VERSION, command: ['sleep', nap], inherit: true, wantInput: true }
  const input = (offset: number, length: number) => ({
    input: { offset, data: Buffer.alloc(length), end: false },
  })
  const NONSENSE: [messages: object[], says: RegExp][] = [
    [[{}], /must be start or resume/],
    [[input(0, 1)], /must be start or resume/],
    [[{ start: {} }], /speaks version .*, not none/],
    [[{ start }, { start }], /only the first message/],
    [[{ start }, {}], /only the first message/],
    [[{ start }, { signal: { name: 'NONE' } }], /no signal SIGNONE/],
    [[{ start }, input(5, 1)], /some of the input is missing/],
    [[{ start }, ...Array.from({ length: 9 }, (_, i) => input(i << 18, 1 << 18))], /more input than/],
  ]
  for (const [messages, says] of NONSENSE) {
    const { call, close } = await calls(address, SECRET)
    const failed = new Promise<Error>(done => call.on('data', () => undefined).on('error', done))
    for (const message of messages)
      call.write('start' in message ? { start: { ...(message.start as object), id: randomUUID() } } : message)
    t.match((await failed).message, says)
    close()
  }
  await eventually('nothing runs', () => sandbox.run('pgrep', ['-f', `sleep ${nap}`]).code !== 0, 20)
  t.match((await runShell(client, 'echo still here')).said, ['still here\n', ''])
})

test('a signal that comes again is taken once, and one without a number each time', async t => {
  const { address } = await startExecutor(t)
  const { call, close } = await calls(address, SECRET)
  t.teardown(close)
  let said = ''
  const result = new Promise(done => {
    call.on('error', done).on('data', (message: ServerMessage) => {
      if ('result' in message) done(message.result)
      if ('output' in message && message.output.stream === 1) said += message.output.data.toString()
    })
  })
  const script = 'trap "echo one" USR1; trap "exit 7" TERM; echo up; while :; do sleep 0.05; done'
  const start = { version: VERSION, id: randomUUID(), command: ['sh', '-c', script], inherit: true }
  call.write({ start: { ...start, wantOutput: true } })
  const signals = [1, 1, 2, 1, 0, 0]
  for (const [i, number] of signals.entries()) {
    const taken = [0, 1, 1, 2, 2, 3][i]!
    await eventually('they were taken', () => said === `up\n${'one\n'.repeat(taken)}`)
    await sleep(300)
    call.write({ signal: { name: 'USR1', number } })
  }
  await eventually('they were taken', () => said === `up\n${'one\n'.repeat(4)}`)
  call.write({ signal: { name: 'TERM', number: 3 } })
  t.match(await result, { exitCode: 7 })
})

test('an execution is resumed by its id and the secret, and by nothing less', async t => {
  const { sandbox, address } = await startExecutor(t)
  const id = randomUUID()
  const script = `until [ -e '${sandbox.path('go')}' ]; do sleep 0.05; done; exit 6`
  const own = await calls(address, SECRET)
  t.teardown(() => own.close())
  const result = new Promise(done => {
    own.call
      .on('data', (message: ServerMessage) => 'result' in message && done(message.result))
      .on('error', done)
  })
  own.call.write({ start: { version: VERSION, id, command: ['sh', '-c', script], inherit: true } })
  const { status } = loadProtocol().grpc
  await eventually('it runs', () => sandbox.run('pgrep', ['-f', sandbox.path('go')]).code === 0)
  t.equal(await resume(address, 'a guess', id), status.UNAUTHENTICATED)
  t.equal(await resume(address, '', id), status.UNAUTHENTICATED)
  t.equal(await resume(address, SECRET, `${id}x`), status.NOT_FOUND)
  t.equal(await resume(address, SECRET, ''), status.NOT_FOUND)
  writeFileSync(sandbox.path('go'), '')
  t.match(await result, { exitCode: 6, error: '' }, 'and its own client notices nothing')
})
