import { execFileSync } from 'node:child_process'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'tap'

import { gitEnvironment, runGit } from '../../../lib/git/process.ts'
import { eventually } from '../../fixtures/sandbox.ts'

/** Of git's own list, what is about how to read a repository, and not which: it stays as the user has it. */
const KEPT = /^GIT_(CONFIG.*|NO_REPLACE_OBJECTS|REPLACE_REF_BASE|INTERNAL_SUPER_PREFIX)$/

test('a git that is told its repository is led to no other by any variable of ours', t => {
  const listed = execFileSync('git', ['rev-parse', '--local-env-vars'], { encoding: 'utf8' })
    .split('\n')
    .filter(name => name !== '' && !KEPT.test(name))
  t.ok(listed.length >= 8)
  for (const name of [...listed, 'GIT_NAMESPACE']) {
    t.teardown(() => Reflect.deleteProperty(process.env, name))
    process.env[name] = '/elsewhere'
  }
  t.same(
    Object.values(gitEnvironment()).filter(value => value === '/elsewhere'),
    [],
  )
  t.equal(gitEnvironment()['PATH'], process.env['PATH'])
  t.end()
})

test('a git that is ended leaves nobody who waits for a server', async t => {
  const asked: Socket[] = []
  const server = createServer(socket => asked.push(socket.on('error', () => undefined)))
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => {
    for (const socket of asked) socket.destroy()
    server.close()
  })
  const stop = new AbortController()
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.git`
  const start = { place: undefined, env: gitEnvironment(), signal: stop.signal }
  const run = runGit(start, ['ls-remote', url])
  await eventually('a request', () => asked.length === 1)
  stop.abort()
  await t.rejects(run, { name: 'AbortError' })
  await eventually('the end of the connection', () => asked[0]!.resume().readableEnded)
})
