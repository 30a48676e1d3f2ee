// Containers of a podman that is reached over a socket, as one on another machine would be.

import { readFileSync, writeFileSync } from 'node:fs'
import tap, { test } from 'tap'

import { findEngine } from '../../lib/container/engine.ts'
import { conform, isLong } from '../fixtures/conformance.ts'
import { lacksPodman, Podman } from '../fixtures/podman.ts'
import { eventually, Sandbox } from '../fixtures/sandbox.ts'

const skip = lacksPodman()
const settings: Record<string, string> = { IMAGE: 'busy:1' }
let podman: Podman

tap.setTimeout(600_000)

tap.before(async () => {
  if (skip) return
  podman = new Podman(tap, new Sandbox(tap))
  podman.importBusybox()
  Object.assign(settings, await podman.serve(tap))
  // What runs in this very process reads it from there.
  Object.assign(process.env, settings, { HOST: 'testhost', EXEC_KEEP: '1h', BUNDLE_MAX: '10M', IMAGE: '' })
})

// As long as all others, which ask podman for the same.
if (isLong) conform('podman elsewhere', settings, skip)

test(
  'bass exec runs there and brings back what was changed; what is killed ends there',
  { skip },
  async t => {
    const sandbox = new Sandbox(t)
    sandbox.ok('git', ['init', '-q', 'code'])
    writeFileSync(sandbox.path('code/a'), 'one\n')
    const exec = (script: string, env: Record<string, string> = {}) =>
      sandbox.start('bin/bass', ['exec', '--in', 'busy:1', '--', 'sh', '-c', script], {
        cwd: 'code',
        env: { ...settings, IMAGE: undefined, ...env },
      })
    const there = exec('echo two >> a; ls /sys/class/net; exit 3', { CONTAINER_NETWORK: 'private' })
    t.match(await there.ended, { code: 3, stdout: 'eth0\nlo\n', stderr: '' })
    t.equal(readFileSync(sandbox.path('code/a'), 'utf8'), 'one\ntwo\n')
    t.equal(podman.ask('network', 'ls', '--quiet', '--filter', 'label=bass.owner'), '')

    const killed = exec('echo up; sleep 1000')
    await eventually('it runs', () => killed.stdout().includes('up'), 60)
    t.not(podman.ask('ps', '--quiet'), '', 'in that engine')
    await killed.kill('SIGKILL')
    await eventually('the container is gone', () => podman.ask('ps', '--all', '--quiet') === '', 10)

    t.match(await exec('true', { CONTAINER_HOST: 'unix:///nowhere' }).ended, {
      code: 111,
      stderr:
        /^bass: fatal: unable to run 'busy:1': podman: unable to connect to Podman socket: .*no such file.*\n$/,
    })
  },
)

test('an engine elsewhere is never replaced by one here', { skip }, t => {
  const sandbox = new Sandbox(t)
  const [podman, docker] = ['podman', 'docker'].map(name => {
    writeFileSync(sandbox.path(name), '', { mode: 0o755 })
    return name
  })
  const chosen = (env: Record<string, string>) => findEngine({ PATH: sandbox.dir, ...env }).name
  t.equal(chosen({}), podman)
  t.equal(chosen({ DOCKER_HOST: 'tcp://x:1' }), docker)
  t.equal(chosen({ CONTAINER_HOST: 'ssh://x', DOCKER_HOST: 'tcp://x:1' }), podman)
  t.equal(chosen({ DOCKER_HOST: 'tcp://x:1', CONTAINER: 'podman' }), podman, 'but by somebody who says so')
  sandbox.ok('rm', ['docker'])
  t.throws(() => chosen({ DOCKER_HOST: 'tcp://x:1' }), {
    exitCode: 100,
    cause: 'DOCKER_HOST is set, and there is no docker that reads it',
  })
  t.end()
})
