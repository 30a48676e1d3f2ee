// An executor and its clients: ours, and one in Python, which is held to the protocol by its own library.

import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'

import { tolerating } from '../../lib/base/errno.ts'
import { ExecutorClient } from '../../lib/exec/client.ts'
import { tarOf } from '../../lib/exec/pack.ts'
import { VERSION } from '../../lib/exec/protocol.ts'
import { writeS2 } from '../../lib/bundle/s2.ts'
import { bringBack } from '../../lib/exec/bring-back.ts'
import { isLong } from '../fixtures/conformance.ts'
import { runShell, SECRET, startExecutor } from '../fixtures/executor.ts'
import { eventually, lacks, ROOT, Sandbox } from '../fixtures/sandbox.ts'

test('a client that is slow to take the last of the output gets all of it, and the result', async t => {
  const { client } = await startExecutor(t)
  const size = 6_000_000
  let got = 0
  const execution = client.execute(
    { command: ['head', '-c', String(size), '/dev/zero'], inherit: true },
    {
      output: async (_, data) => {
        await sleep(15)
        got += data.length
      },
    },
  )
  t.match(await execution.result, { exitCode: 0, error: '' })
  t.equal(got, size)
})

test('a command has its environment, its directory, its exit code and its signal', async t => {
  const { client } = await startExecutor(t)
  const { said, result } = await runShell(client, 'echo "$K $PWD"; echo err >&2; exit 7', {
    environment: { K: 'V' },
    directory: '/usr',
  })
  t.same(said, ['V /usr\n', 'err\n'])
  t.match(result, { error: '', exitCode: 7, signal: '', timedOut: false })
  t.match((await runShell(client, 'kill -KILL $$')).result, { signal: 'KILL' })
  t.match((await runShell(client, 'sleep 100', { timeout: 200 })).result, { timedOut: true, signal: 'TERM' })
  t.match((await client.execute({ command: ['/no/such'] }).result).exitCode, 127)
})

test('input reaches a command, and signals and a cancel end it', async t => {
  const { client } = await startExecutor(t)
  let said = ''
  const cat = client.execute(
    { command: ['cat'], inherit: true, wantInput: true },
    { output: (_, data) => void (said += data.toString()) },
  )
  cat.input(Buffer.from('some '))
  cat.input(Buffer.from('input'))
  cat.endInput()
  t.match(await cat.result, { exitCode: 0 })
  t.equal(said, 'some input')
  const trapping = client.execute({
    command: ['sh', '-c', 'trap "exit 9" USR1; while :; do sleep 0.05; done'],
    inherit: true,
  })
  await sleep(300)
  trapping.signal('USR1')
  t.match(await trapping.result, { exitCode: 9 })
  const deaf = client.execute({ command: ['sh', '-c', 'trap "" TERM; sleep 1000'], inherit: true })
  deaf.cancel()
  t.match(await deaf.result, { signal: 'KILL' })
})

test('files go there, and what was changed comes as one archive that the result describes', async t => {
  const { client, sandbox } = await startExecutor(t)
  mkdirSync(sandbox.path('from'))
  for (const name of ['a', 'b']) writeFileSync(sandbox.path('from', name), name)
  const root = sandbox.path('there')
  const items = ['a', 'b'].map(name => ({ name, path: sandbox.path('from', name) }))
  t.equal(await client.put(root, writeS2(tarOf(items))), 2)
  const { result } = await runShell(client, 'echo more >> a; rm b; mkdir d', {
    directory: root,
    contentRoot: root,
    wantArchive: true,
  })
  t.match(result, { files: 2, error: '' })
  t.same(result.deleted.map(String), ['b'])
  const hash = createHash('sha256')
  let bytes = 0
  for await (const piece of client.fetch(result.archive)) {
    hash.update(piece)
    bytes += piece.length
  }
  t.equal(bytes, result.archiveBytes)
  t.ok(hash.digest().equals(result.archiveSha256))
  await t.rejects(client.put(root, writeS2(tarOf(items))), { message: /there are files in/ })
  const stranger = async () => {
    for await (const piece of client.fetch('/etc/passwd')) t.fail(`it gave away ${piece.length} bytes`)
  }
  await t.rejects(stranger(), { message: /no such archive/ })
})

test('of a client that goes away while it fetches nothing is kept open', async t => {
  const { client, executor, sandbox } = await startExecutor(t)
  const root = sandbox.path('there')
  mkdirSync(root)
  const { result } = await runShell(client, 'head -c 60000000 /dev/urandom >new', {
    directory: root,
    contentRoot: root,
    wantArchive: true,
  })
  const open = () => {
    const fds = `/proc/${executor.pid}/fd`
    return readdirSync(fds).filter(
      fd => tolerating(['ENOENT'], () => readlinkSync(join(fds, fd))) === result.archive,
    )
  }
  const fetched = client.fetch(result.archive)
  t.equal((await fetched.next()).done, false)
  // It takes no more, so the executor has to wait.
  await sleep(300)
  t.equal(open().length, 1)
  await fetched.return()
  await eventually('the end of the reading', () => open().length === 0)
  t.match((await runShell(client, 'echo well')).said, ['well\n', ''])
})

test('the executor says what it does, in its place among the output, and the result is the last', async t => {
  const { client, sandbox } = await startExecutor(t)
  const told: string[] = []
  const wish = {
    name: 'it',
    command: ['sh', '-c', 'echo out; echo x > new'],
    directory: sandbox.dir,
    inherit: true,
    contentRoot: sandbox.dir,
    wantArchive: true,
  }
  const { result } = client.execute(wish, {
    output: (_, data) => void told.push(data.toString()),
    log: ({ level, message, attributes, time }) => {
      t.ok(Math.abs(time - Date.now()) < 60_000)
      told.push(`${level}: ${message} ${attributes['name'] ?? attributes['files'] ?? ''}`)
    },
  })
  await result
  t.same(told, ['info: started it', 'out\n', 'info: looked for changes 1'])
})

test('without the secret, or with another major version, nothing runs', async t => {
  const { client, address } = await startExecutor(t)
  const stranger = await ExecutorClient.connect(address, 'a guess', 20_000)
  t.teardown(() => stranger.close())
  await t.rejects(stranger.execute({ command: ['true'] }).result, { exitCode: 100, message: /secret/ })
  await t.rejects(client.execute({ command: ['true'], version: '2.0' } as object).result, {
    exitCode: 100,
    message: /speaks version 1\.\d+ of the protocol, not 2\.0/,
  })
})

test('a client that goes away ends its command, and the end of its input ends the executor', async t => {
  const { client, executor, sandbox } = await startExecutor(t)
  const nap = `1000.${process.pid}`
  void client.execute({ command: ['sleep', nap], inherit: true })
  const running = () => sandbox.run('pgrep', ['-f', `sleep ${nap}`]).code === 0
  await eventually('it runs', running)
  client.close()
  await eventually('it ended', () => !running())
  const again = await ExecutorClient.connect(`unix:${sandbox.path('socket')}`, SECRET, 20_000)
  void again.execute({ command: ['sleep', nap], inherit: true }).result.catch(() => undefined)
  await eventually('it runs again', running)
  executor.stdin.end()
  await eventually('all ended', () => !running())
  again.close()
})

const MUCH = isLong ? 1_000_000_000 : 200_000_000

test('a reader that stalls stops the command, not the memory', async t => {
  const { client, executor, sandbox } = await startExecutor(t)
  let [bytes, stalled] = [0, true]
  const wait = async () => {
    while (stalled) await sleep(20)
  }
  const execution = client.execute(
    { command: ['sh', '-c', `head -c ${MUCH} /dev/zero; : > '${sandbox.path('written')}'`], inherit: true },
    {
      output: async (_, data) => {
        bytes += data.length
        if (bytes > 1_000_000) await wait()
      },
    },
  )
  await eventually('some came', () => bytes > 1_000_000)
  await sleep(1000)
  t.notOk(readdirSync(sandbox.dir).includes('written'), 'the command waits')
  const memory = sandbox.ok('ps', ['-o', 'rss=', '-p', String(executor.pid)])
  t.ok(Number(memory) < 250_000, `${memory} KiB`)
  stalled = false
  t.match(await execution.result, { exitCode: 0 })
  t.equal(bytes, MUCH)
  t.ok(Number(sandbox.ok('ps', ['-o', 'rss=', '-p', String(executor.pid)])) < 250_000, 'nor afterwards')
})

test('a command that does not read its input costs no memory, and hears of signals', async t => {
  const { client, executor, sandbox } = await startExecutor(t)
  const memory = () => Number(sandbox.ok('ps', ['-o', 'rss=', '-p', String(executor.pid)]))
  let said = ''
  const script = 'trap "echo asked; exec cat >/dev/null" USR1; echo up; while :; do sleep 0.05; done'
  const execution = client.execute(
    { command: ['sh', '-c', script], inherit: true, wantInput: true },
    { output: (_, data) => void (said += data.toString()) },
  )
  await eventually('it runs', () => said === 'up\n')
  const before = memory()
  const [pieces, piece] = [2000, Buffer.alloc(100_000)]
  let given = 0
  const feed = async () => {
    for (; given < pieces; given++) if (!execution.input(piece)) await execution.drained()
    execution.endInput()
  }
  const fed = feed()
  await sleep(1000)
  t.ok(given < 50, `it waits after ${given} pieces`)
  t.ok(memory() < before + 30_000)
  execution.signal('USR1')
  await fed
  t.match(await execution.result, { exitCode: 0 })
  t.match(said, /asked/)
  t.ok(memory() < before + 60_000, 'nor afterwards')
})

test(
  'a command can be that of another user, and so can its files',
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async t => {
    const { client, sandbox } = await startExecutor(t)
    chmodSync(sandbox.dir, 0o755)
    writeFileSync(sandbox.path('file'), '')
    const root = sandbox.path('there')
    const items = [{ name: 'file', path: sandbox.path('file') }]
    await client.put(root, writeS2(tarOf(items)), 'nobody')
    const more = { directory: root, contentRoot: root, wantArchive: true }
    const { said, result } = await runShell(client, 'id -un; id -G; echo x > file; : > new', {
      user: 'nobody',
      ...more,
    })
    t.match(said, [/^nobody\n\d+\n$/, ''])
    t.match(result, { error: '', exitCode: 0, files: 2 })
    const numbers = { user: '12345:23456' }
    t.same((await runShell(client, 'id -u; id -g; id -G; (: > /new) 2>/dev/null || echo no', numbers)).said, [
      '12345\n23456\n23456\nno\n',
      '',
    ])
    for (const user of ['no-such-user', '-1', '99999999999', '1:'])
      t.match((await runShell(client, 'true', { user })).result, {
        error: new RegExp(`there is no user '${user}'`),
      })
    await t.rejects(client.put(sandbox.path('other'), writeS2(tarOf(items)), 'no-such-user'), {
      message: /no user 'no-such-user'/,
    })
  },
)

test(
  'what may not be read is left out, and costs neither the exit code nor what can be read',
  { skip: lacks('setpriv') },
  async t => {
    const rights = '-dac_override,-dac_read_search'
    const wrapper = process.getuid?.() === 0 ? ['setpriv', '--bounding-set', rights] : []
    const { client, sandbox } = await startExecutor(t, new Sandbox(t), wrapper)
    const root = sandbox.path('there')
    for (const name of ['kept', 'shut']) {
      mkdirSync(sandbox.path('put', name), { recursive: true })
      writeFileSync(sandbox.path('put', name, 'old'), '')
    }
    const names = ['kept', 'kept/old', 'shut', 'shut/old']
    await client.put(root, writeS2(tarOf(names.map(name => ({ name, path: sandbox.path('put', name) })))))
    const script = 'echo x > readable; echo x > secret; rm kept/old; chmod 0 secret shut; exit 7'
    const warnings: string[] = []
    const { result } = client.execute(
      {
        command: ['sh', '-c', script],
        inherit: true,
        directory: root,
        contentRoot: root,
        wantArchive: true,
      },
      {
        log: ({ level, message }) => {
          if (level === 'warning') warnings.push(message)
        },
      },
    )
    const told = await result
    t.match(told, { error: '', exitCode: 7, files: 2 })
    t.same(told.deleted.map(String), ['kept/old'], 'nobody knows of what is in a directory that is shut')
    t.same(warnings, ["left out 'shut': permission denied", "left out 'secret': permission denied"])
    const out = sandbox.path('out')
    mkdirSync(out)
    await bringBack(client, told, out, 'ignored', { maxBytes: 1e6 })
    t.same(sandbox.ls('out'), ['readable', 'shut'])
    chmodSync(join(root, 'shut'), 0o700)
  },
)

test('a directory of which nothing can be told is an error of its command, and no other', async t => {
  const { client } = await startExecutor(t)
  const other = client.execute({ command: ['sh', '-c', 'sleep 1; exit 5'], inherit: true })
  const odd = client.execute({ command: ['true'], contentRoot: `/${'x'.repeat(300)}`, wantArchive: true })
  t.match((await odd.result).error, /name too long/)
  t.match(await other.result, { exitCode: 5 })
})

test('a whole tree that was deleted is told', async t => {
  const { client, sandbox } = await startExecutor(t)
  const root = sandbox.path('there')
  // Long names, for there to be megabytes of them soon.
  const [deep, COUNT] = [join(root, ...Array.from({ length: 10 }, () => 'd'.repeat(250))), 2000]
  mkdirSync(deep, { recursive: true })
  for (let i = 0; i < COUNT; i++) writeFileSync(join(deep, `${i}`), '')
  const { result } = await runShell(client, 'find . -type f -delete', {
    directory: root,
    contentRoot: root,
    wantArchive: true,
  })
  t.match(result, { error: '', exitCode: 0 })
  t.equal(result.deleted.length, COUNT)
})

test('Python speaks the protocol, both ways', { skip: lacks('/usr/bin/python3') }, async t => {
  const { sandbox, address } = await startExecutor(t)
  mkdirSync(sandbox.path('py'))
  const python = (...args: string[]) => sandbox.ok('/usr/bin/python3', args)
  python(
    '-m',
    'grpc_tools.protoc',
    '-I',
    join(ROOT, 'lib/exec'),
    `--python_out=${sandbox.path('py')}`,
    `--grpc_python_out=${sandbox.path('py')}`,
    'executor.proto',
  )
  const at = (name: string) => join(ROOT, 'test/fixtures', name)
  const script = 'read line; echo "$line"; echo err >&2; exit 4'
  const told = python(
    at('executor-client.py'),
    sandbox.path('py'),
    address,
    SECRET,
    VERSION,
    'sh',
    '-c',
    script,
  )
  t.same(told.split('\n').sort(), ['1 0 from python', '2 0 err', 'log info started', 'result 4'].sort())
  t.match(
    python(at('executor-client.py'), sandbox.path('py'), address, 'a guess', VERSION, 'true'),
    /^UNAUTHENTICATED/,
  )

  const server = sandbox.start('/usr/bin/python3', [
    at('executor-server.py'),
    sandbox.path('py'),
    `unix:${sandbox.path('other')}`,
    SECRET,
  ])
  await eventually('it serves', () => server.stdout().includes('ready'), 60)
  const other = `unix:${sandbox.path('other')}`
  const client = await ExecutorClient.connect(other, SECRET, 20_000, { patience: 20_000 })
  t.teardown(() => client.close())
  const wish = { command: ['words'], environment: { K: 'V' } }
  const [said, logs]: [string[], string[]] = [[], []]
  const { exitCode } = await client.execute(wish, {
    output: (stream, data) => void said.push(`${stream} ${data.toString()}`),
    log: ({ level, message }) => logs.push(`${level} ${message}`),
  }).result
  t.same([said, logs, exitCode], [['1 words', '2 V'], ['info started'], 3])
  let fetched = ''
  for await (const piece of client.fetch('in two pieces')) fetched += piece.toString()
  t.equal(fetched, 'in two pieces', 'and goes on where it was')
})
