// Places in containers of a real docker engine, which is reached over a socket as one on another machine would be.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import tap, { test } from 'tap'

import { conform, isLong } from '../fixtures/conformance.ts'
import { lacksDocker, startDocker } from '../fixtures/dockerd.ts'
import type { EngineFixture } from '../fixtures/engine.ts'
import { eventually, Sandbox } from '../fixtures/sandbox.ts'

const skip = lacksDocker()
const settings: Record<string, string> = { IMAGE: 'busy:1' }
let docker: EngineFixture

tap.setTimeout(600_000)

tap.before(async () => {
  if (skip) return
  docker = await startDocker(tap, new Sandbox(tap))
  docker.importBusybox()
  // What runs in this very process reads it from there.
  Object.assign(process.env, docker.env, { HOST: 'testhost', EXEC_KEEP: '1h', BUNDLE_MAX: '10M' })
  Object.assign(settings, docker.env)
})

// As long as all others, which ask podman for the same.
if (isLong) conform('docker', settings, skip)

const shell = (script: string) => ['sh', '-c', script]

test('bass exec brings back what was changed, within bounds, and leaves the executor alone', { skip }, t => {
  const sandbox = new Sandbox(t)
  sandbox.ok('git', ['init', '-q', 'code'])
  writeFileSync(sandbox.path('code/a'), 'one\n')
  const exec = (command: string[], env: Record<string, string> = {}, image = 'busy:1') => {
    const { code, stdout, stderr } = sandbox.run('bin/bass', ['exec', '--in', image, '--', ...command], {
      cwd: 'code',
      env: { ...docker.env, ...env },
    })
    return { code, stdout, stderr }
  }
  t.same(exec(shell('echo two >> a; grep -c : /proc/net/dev; exit 3')), {
    code: 3,
    stdout: '1\n',
    stderr: '',
  })
  t.equal(readFileSync(sandbox.path('code/a'), 'utf8'), 'one\ntwo\n')

  const bounds = { CONTAINER_MEMORY: '300m', CONTAINER_PIDS: '40', CONTAINER_CPUS: '0.5' }
  const look = 'grep NoNewPrivs /proc/self/status; ! (: >/.bass-executor/x) 2>/dev/null && ls /sys/class/net'
  t.match(
    exec(shell(look), { ...bounds, CONTAINER_NETWORK: 'private' }).stdout,
    /^NoNewPrivs:\t1\neth0\nlo\n/,
  )
  t.match(exec(['true'], { CONTAINER_NETWORK: 'nothing-like-it' }), {
    code: 111,
    stderr: /^bass: fatal: unable to run 'busy:1': docker: .*nothing-like-it not found\.?\n$/,
  })
  t.match(exec(['true'], {}, 'Nonsense:1').stderr, /'Nonsense:1': there is no such image, .*lowercase/)
  t.equal(docker.ask('network', 'ls', '--quiet', '--filter', 'label=bass.owner'), '')
  t.equal(docker.ask('ps', '--all', '--quiet'), '')
  t.equal(docker.ask('volume', 'ls', '--quiet').split('\n').length, 1, 'that of the executor')
  t.end()
})

test('what a killed one leaves is gone within 10 s, or at the next start', { skip }, async t => {
  const sandbox = new Sandbox(t)
  sandbox.ok('git', ['init', '-q', 'code'])
  const exec = (script: string) =>
    sandbox.start('bin/bass', ['exec', '--in', 'busy:1', '--', ...shell(script)], {
      cwd: 'code',
      env: { ...docker.env, CONTAINER_NETWORK: 'private' },
    })
  const killed = exec('echo up; sleep 1000')
  await eventually('it runs', () => killed.stdout().includes('up'), 60)
  await killed.kill('SIGKILL')
  await eventually('the container is gone', () => docker.ask('ps', '--all', '--quiet') === '', 10)
  t.match(await exec('true').ended, { code: 0, stderr: '' })
  t.equal(docker.ask('network', 'ls', '--quiet', '--filter', 'label=bass.owner'), '')
})

if (isLong)
  test('bass doctor and bass demo know this engine', { skip }, t => {
    const sandbox = new Sandbox(t)
    const env = { ...settings, SPOOL: undefined, TMPDIR: sandbox.path('jobtmp') }
    const { stdout } = sandbox.run('bin/bass', ['doctor'], { env })
    t.match(stdout, /^ok .* place container: docker \S+ ran a container of busy:1, in \d+\.\d s$/m)
    const demo = sandbox.run('bin/bass', ['demo', '--container'], { env: { ...env, IMAGE: undefined } })
    t.equal(demo.code, 0, demo.stderr)
    t.match(demo.stdout, /HELLO FROM A CON/)
    t.notMatch(docker.ask('images', '--format', '{{.Repository}}'), /demo|doctor/)
    t.notOk(existsSync(sandbox.path('jobtmp', 'bass-demo')))
    t.end()
  })
