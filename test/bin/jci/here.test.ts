// Jobs as processes of the runner.

import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'tap'

import { Here } from '../../../bin/jci/runner/here.ts'
import { processesWith } from '../../../lib/system/process.ts'
import { eventually, Sandbox } from '../../fixtures/sandbox.ts'

test('a job that comes back is not ended with what it began before', async t => {
  const sandbox = new Sandbox(t)
  // It never answers: so both are still fetching.
  const server = createServer(() => undefined).listen(0, '127.0.0.1')
  await new Promise(done => server.once('listening', done))
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const job_id = `again-${process.pid}`
  const job = {
    job_id,
    clone_url: `http://u:p@127.0.0.1:${port}/o/r.git`,
    commit_sha: 'c'.repeat(40),
    repo_owner: 'o',
    repo_name: 'r',
  }
  const here = new Here(sandbox.dir, 'r1', 60_000)
  t.teardown(() => here.begin())
  const running = () => processesWith(`JCI_JOB_ID=${job_id}`)
  await here.start(job)
  const first = await eventually('it runs', () => (running().length > 1 ? running() : undefined))
  await here.start(job)
  for (const pid of first) if (running().includes(pid)) process.kill(pid, 'SIGKILL')
  await eventually('the first has ended', () => !running().some(pid => first.includes(pid)))
  await new Promise(done => setTimeout(done, 1000))
  t.ok(running().length > 0, 'the second goes on')
  t.same(await here.jobs(), [job_id])
})
