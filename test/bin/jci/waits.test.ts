// A forge or a server that is busy, or away, is waited for: as it says, or longer and longer.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'tap'
import type { Test } from 'tap'

import { StatusCourier } from '../../../bin/jci/server/courier.ts'
import { ForgeClient } from '../../../bin/jci/server/forge.ts'
import { Jobs } from '../../../bin/jci/server/jobs.ts'
import { RUNNER_SECRET, startFast } from '../../fixtures/jci-forge.ts'
import { eventually, Sandbox } from '../../fixtures/sandbox.ts'
import type { Running } from '../../fixtures/sandbox.ts'

async function serve(t: Test, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function startRunner(t: Test, url: string): Running {
  const sandbox = new Sandbox(t)
  return startFast(sandbox, 'runner', {
    JCI_SERVER: url,
    JCI_RUNNER_SECRET: RUNNER_SECRET,
    JCI_RUNNER_DB: sandbox.path('runner'),
    JCI_RUN_IN: 'here',
    JCI_IMAGE: 'none',
  })
}

const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000).toUTCString()

test('a runner waits as the server says, and says once that it is away', async t => {
  const at: number[] = []
  const url = await serve(t, (request, response) => {
    at.push(performance.now())
    if (at.length === 1) response.writeHead(429, { 'Retry-After': '2' }).end()
    // A date has no part of a second.
    else if (at.length === 2) response.writeHead(429, { 'Retry-After': inSeconds(4) }).end()
    else if (at.length < 6) request.socket.destroy()
    else response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"job":null}')
  })
  const runner = startRunner(t, url)
  await eventually('it answers again', () => runner.stderr().includes('the server answers again'), 60)
  t.ok(at[1]! - at[0]! >= 1990, `it came back after ${at[1]! - at[0]!} ms`)
  t.ok(at[2]! - at[1]! >= 2990, `it came back after ${at[2]! - at[1]!} ms`)
  const pauses = [at[4]! - at[3]!, at[5]! - at[4]!]
  t.ok(pauses[1]! > pauses[0]!, `it waits longer each time: ${pauses.join(', ')}`)
  t.equal(runner.stderr().match(/unable to reach the server/g)?.length, 1, runner.stderr())
  t.equal((await runner.kill('SIGTERM')).code, 0)
})

test('a status waits as the forge says', async t => {
  const at: number[] = []
  const address = await serve(t, (_, response) => {
    at.push(performance.now())
    if (at.length === 1) response.writeHead(429, { 'Retry-After': '3' }).end()
    else if (at.length === 2) response.writeHead(503, { 'Retry-After': inSeconds(5) }).end()
    else response.writeHead(201, { 'Content-Type': 'application/json' }).end('[]')
  })
  const jobs = new Jobs(new Sandbox(t).path('jobs'))
  jobs.add('o', 'r', 'c'.repeat(40))
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  const forge = new ForgeClient({ address, user: 'u', token: 't', web: undefined })
  new StatusCourier(jobs, forge, stop.signal).wake()
  await eventually('it is told', () => jobs.all()[0]!.told.length === 0, 60)
  t.ok(at[1]! - at[0]! >= 2990, `it came back after ${at[1]! - at[0]!} ms`)
  t.ok(at[2]! - at[1]! >= 3990, `it came back after ${at[2]! - at[1]!} ms`)
})

test('a wait of weeks is one of an hour, and no loop without any', async t => {
  let polls = 0
  const url = await serve(t, (_, response) => {
    polls++
    response.writeHead(429, { 'Retry-After': '3000000' }).end()
  })
  const runner = startRunner(t, url)
  await eventually('it has asked', () => polls > 0, 60)
  await new Promise(done => setTimeout(done, 1000))
  t.equal(polls, 1)
  t.equal((await runner.kill('SIGTERM')).code, 0)
})
