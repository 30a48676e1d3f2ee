// A cancel, or Ctrl-C, while the place is not made yet: a registry or a machine that takes connections and says nothing holds
// nobody up, and nothing stays of the attempt.

import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import tap, { test } from 'tap'

import { running } from '../fixtures/conformance.ts'
import { lacksPodman, Podman } from '../fixtures/podman.ts'
import { eventually, lacks, Sandbox } from '../fixtures/sandbox.ts'
import { StepsFixture } from '../fixtures/steps.ts'

const skip = lacksPodman() || lacks('ssh')
const podman = skip ? undefined : new Podman(tap, new Sandbox(tap))
let connections = 0
const sockets = new Set<Socket>()
const silent = createServer(socket => {
  connections++
  sockets.add(socket)
  socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
})
let port = 0

tap.before(async () => {
  await new Promise<void>(done => silent.listen(0, '127.0.0.1', done))
  ;({ port } = silent.address() as AddressInfo)
  // What runs in this very process reads it from there.
  Object.assign(process.env, podman?.env, { HOST: 'testhost', EXEC_KEEP: '1h', BUNDLE_MAX: '10M' })
})

tap.teardown(() => {
  for (const socket of sockets) socket.destroy()
  silent.close()
})

/** What reaches for the silent one, as a setting, as an argument of bass exec, and by a word of its command line. */
const PLACES = {
  'an image that is being fetched': () => {
    const image = `127.0.0.1:${port}/never:1`
    return { settings: { IMAGE: image }, option: ['--in', image], word: image }
  },
  'a machine that does not answer': () => {
    const host = `ssh://127.0.0.1:${port}`
    return { settings: { RUN_IN: `ssh:${host}` }, option: ['--ssh', host], word: host }
  },
}

for (const [what, place] of Object.entries(PLACES)) {
  test(`${what} does not hold up a cancel`, { skip }, async t => {
    const { settings, word } = place()
    const f = new StepsFixture(new Sandbox(t), { a: 'true' }, { ...podman!.env, ...settings })
    const before = connections
    const outcome = f.run()
    await eventually('somebody reaches for it', () => connections > before && running(word).length > 0, 60)
    const began = performance.now()
    f.stop('cancelled')
    t.match(await outcome, { verdict: 'cancelled' })
    t.ok(performance.now() - began < 3000, `${(performance.now() - began).toFixed(0)} ms`)
    await eventually('nobody tries any more', () => running(word).length === 0, 3)
    t.equal(podman!.ask('ps', '--all', '--quiet'), '')
  })

  test(`${what} does not hold up bass exec when it is interrupted`, { skip }, async t => {
    const { option, word } = place()
    const sandbox = new Sandbox(t)
    mkdirSync(sandbox.path('code'))
    const before = connections
    const exec = sandbox.start('bin/bass', ['exec', '--all', ...option, '--', 'true'], {
      cwd: 'code',
      env: podman!.env,
    })
    await eventually('it reaches for it', () => connections > before && running(word).length > 1, 60)
    const began = performance.now()
    t.match(await exec.kill('SIGINT'), { code: 130, stderr: '' })
    t.ok(performance.now() - began < 3000, `${(performance.now() - began).toFixed(0)} ms`)
    t.same(running(word), [])
    t.equal(podman!.ask('ps', '--all', '--quiet'), '')
    t.same(sandbox.ls('code'), [])
  })
}
