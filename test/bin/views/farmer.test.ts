// People's verbs where there is no spool but a farmer.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { writeFileSync } from 'node:fs'

import { test } from 'tap'

import { VERBS } from '../../../bin/verbs.ts'
import { completionOf } from '../../../bin/completion.ts'
import { verb as cancel } from '../../../bin/cancel.ts'
import { verb as log } from '../../../bin/log.ts'
import { verb as retry } from '../../../bin/retry.ts'
import { verb as show } from '../../../bin/show.ts'
import { verb as status } from '../../../bin/status.ts'
import { verb as wait } from '../../../bin/wait.ts'
import { call } from '../../fixtures/in-process.ts'
import { Farm, TOKEN } from '../../fixtures/farm.ts'
import { eventually } from '../../fixtures/sandbox.ts'

const completion = completionOf(() => VERBS).verb

test('status, show, log -f, wait, cancel and retry, with a real worker', async t => {
  const farm = await Farm.make(t)
  const go = farm.path('go')
  const first = farm.commit({ Testfile: 'all: true\n' })
  const second = farm.commit({
    Testfile: `slow: echo one; until test -e ${go}; do sleep 0.05; done; echo two; echo bad >&2; exit 3\n`,
  })
  const farmer = await farm.farmer()
  const env = { FARMER_URL: farmer.url, REPORTER_TOKEN: TOKEN }
  const bass = (...argv: string[]) => farm.run('bin/bass', argv, { env })
  t.match(bass('status'), { code: 0, stdout: /nothing yet/ })
  t.equal(await farm.push(farmer.url, second, { before: first }), 202)
  t.match(await waiting(() => bass('status')), /no worker for testarch is connected/)

  // A wait that began before there was a worker, and lives through the end of the farmer.
  const waits = farm.start('bin/bass', ['wait', second.slice(0, 9)], { env })
  const follows = farm.start('bin/bass', ['log', '-f', 'hello/main'], { env })
  farm.worker(farmer.url)
  await eventually('the line is there while its step runs', () => /\| one/.test(follows.stdout()), 60)
  t.match(bass('status', 'hello').stdout, /running\n +1 +hello +main slow .*slow .*testhost/)
  t.match(await call(retry, ['1'], env), { code: 100, stderr: /unable to retry '1:hello:/ })
  writeFileSync(go, '')
  const followed = await follows.ended
  t.match(followed.stdout, /== slow\n +\S+ \| one\n +\S+ \| two\n +\S+ ! bad\n== slow: failure \(exit 3\)/)
  t.equal(followed.code, 1, followed.stderr)
  t.match(await waits.ended, { code: 1, stdout: /^1:hello:\S+ failure\n$/ })

  t.match((await call(show, ['1'], env)).stdout, /state +failure in [^]*the end of slow\n[^]*bad/)
  t.match(JSON.parse((await call(show, ['--json', 'last'], env)).stdout), { num: 1, label: 'slow' })
  t.match(JSON.parse((await call(status, ['--json'], env)).stdout), { recent: [{ num: 1 }], events: [] })
  t.equal((await call(log, ['-n', '1', '--time', 'none', '1', 'slow'], env)).stdout, 'bad\n')

  const again = await call(retry, ['1'], env)
  t.match(again, { code: 0, stdout: /^2:hello:\S+\n$/ })
  t.match(await call(wait, ['2'], env), { code: 1 })
  t.match(await call(cancel, ['1'], env), { code: 100, stderr: /unable to cancel '1:hello:\S+': it is over/ })

  t.match((await call(completion, ['tasks'], env)).stdout, /^last:the newest\n2:2:hello:[^]*\n1:1:hello:/)
  t.equal((await call(completion, ['projects'], env)).stdout, 'hello\n')

  // Who does not know the token may look.
  const stranger = { FARMER_URL: farmer.url }
  t.match(await call(retry, ['2'], stranger), { code: 100, stderr: /needs its REPORTER_TOKEN/ })
  t.match(await call(cancel, ['2'], { ...stranger, REPORTER_TOKEN: 'wrong'.repeat(4) }), {
    code: 100,
    stderr: /REPORTER_TOKEN is wrong/,
  })
  t.match(await call(show, ['2'], stranger), { code: 0 })
  t.match(await call(show, ['nosuch'], stranger), { code: 100, stderr: /there is none of that number/ })
  t.match(await call(status, ['nosuch'], stranger), {
    code: 100,
    stderr: /unable to find the project 'nosuch'/,
  })

  await farmer.kill('SIGTERM')
  t.match(await call(status, [], stranger), {
    code: 111,
    stderr: /unable to ask the farmer at http:\S+: connection refused/,
  })

  /** Standard output, when there is a task. */
  async function waiting(look: () => { stdout: string }): Promise<string> {
    for (;;) {
      const { stdout } = look()
      if (/queued/.test(stdout)) return stdout
      await new Promise(done => setTimeout(done, 100))
    }
  }
})

test('what is no farmer, or one of another version, is told in a sentence', async t => {
  let headers: Record<string, string> = {}
  const server = createServer((_request, response) => response.writeHead(200, headers).end('hello'))
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => server.close())
  const env = { FARMER_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
  t.match(await call(status, [], env), {
    code: 100,
    stderr: /it is no farmer or reporter, or one of an older/,
  })
  headers = { 'Bass-Api': '2' }
  t.match(await call(status, [], env), { code: 100, stderr: /it speaks version '2', this is version 1/ })
  headers = { 'Bass-Api': '1' }
  t.match(await call(status, [], env), { code: 111, stderr: /unable to understand the farmer at/ })
  t.match(await call(status, [], { FARMER_URL: 'ci.example.org' }), {
    code: 100,
    stderr: /unable to read the setting FARMER_URL: 'ci.example.org' is no address/,
  })
})
