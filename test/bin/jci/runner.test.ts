// A runner with real containers. All of it, the forge and the server too, is in a network of its own, where the containers
// are on a bridge that leads nowhere but to the server's git door.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import type { Test } from 'tap'

import { isImageName } from '../../../bin/jci/runner/image.ts'
import { layTools } from '../../../bin/jci/runner/tool.ts'
import { JciForge, push, RUNNER_SECRET, startFast } from '../../fixtures/jci-forge.ts'
import { lacksPodman, Podman } from '../../fixtures/podman.ts'
import { eventually, lacks, Sandbox } from '../../fixtures/sandbox.ts'

const INSIDE = 'JCI_TEST_INSIDE'
const lacking = lacksPodman() || lacks('unshare', 'ip')

/** The address of the bridge: what containers see of this side. */
const BRIDGE = '10.99.0.1'
const PORT = 8080

/** For longer than the server waits for a silent runner, as if an image were fetched. */
const SLOW = 'case " $* " in *" create "*) sleep 10 ;; esac\n'

/** `before` is what the engine's program does first. */
async function site(t: Test, more: Record<string, string> = {}, before = '') {
  const sandbox = new Sandbox(t)
  const podman = new Podman(t, sandbox)
  mkdirSync(sandbox.path('engine-bin'))
  const program = sandbox.path('engine-bin/podman')
  writeFileSync(program, `#!/bin/sh\n${before}exec ${sandbox.ok('sh', ['-c', 'command -v podman'])} "$@"\n`, {
    mode: 0o755,
  })
  const image = podman.importBusybox()
  const bridge = ['--internal', '--disable-dns', '--subnet', '10.99.0.0/24', '--gateway', BRIDGE]
  podman.ask('network', 'create', ...bridge, 'jci')
  const forge = await JciForge.open(t, sandbox)
  const doors = { JCI_LISTEN: `0.0.0.0:${PORT}`, JCI_GIT_URL: `http://${BRIDGE}:${PORT}` }
  const { url, running } = await forge.serve(doors, 'fast')
  const runner = startFast(sandbox, 'runner', {
    ...podman.env,
    CONTAINER: podman.env['CONTAINER']!.replace(/^podman/, program),
    JCI_SERVER: url,
    JCI_RUNNER_SECRET: RUNNER_SECRET,
    // As it is where nothing is set: in the current directory.
    JCI_RUNNER_DB: 'runner',
    JCI_IMAGE: image,
    JCI_NETWORK: 'jci',
    JCI_MEMORY: '1g',
    JCI_PIDS: '200',
    ...more,
  })
  const ask = async (name: string, commit: string) => {
    const { body, headers } = push(name, commit)
    await fetch(`${url}/webhook`, { method: 'POST', body, headers })
  }
  const ended = async () => {
    const end = await eventually(
      `told: ${running.stderr()} ${runner.stderr()}`,
      () => forge.api.statuses.find(({ state }) => state !== 'pending'),
      120,
    )
    return `${end.state} ${end.description}`
  }
  const stored = (name: string, file: string) => {
    const bare = sandbox.path('forge/o', `${name}.git`)
    const ref = sandbox.git(bare, 'for-each-ref', '--format=%(refname)', 'refs/jci-runs')
    return sandbox.git(bare, 'show', `${ref}:${file}`)
  }
  const end = async () => {
    t.equal((await runner.kill('SIGTERM')).code, 0)
    t.equal((await running.kill('SIGTERM')).code, 0)
    t.same(forge.api.lies, [])
  }
  return { sandbox, podman, forge, runner, ask, ended, stored, end }
}

/** Reaches for an address, and says whether somebody was there. */
const REACH = `reach() { if timeout 3 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null; then echo "$1:$2 open"; else echo "$1:$2 closed"; fi; }\n`

if (process.env[INSIDE] === undefined) {
  test('runners with real containers', { skip: lacking }, async t => {
    const script = 'ip link set lo up; exec "$@"'
    const args = [
      '-m',
      '-n',
      '--propagation',
      'private',
      'sh',
      '-c',
      script,
      'sh',
      process.execPath,
      __filename,
    ]
    await t.spawn('unshare', args, { env: { ...process.env, [INSIDE]: 'yes' } }, 'in a network of its own')
  })
} else {
  test('a container, whose image has neither git nor bash nor node, has limits, no secret to be seen, and the door', async t => {
    const { forge, podman, sandbox, ask, ended, stored, end } = await site(t)
    const inner = new URL(forge.url).port
    const script = `${REACH}
reach ${BRIDGE} ${PORT}; reach ${BRIDGE} ${inner}; reach 127.0.0.1 ${inner}; reach 192.0.2.1 80
ls /var/run /run 2>/dev/null | grep -c sock; touch /jci/bass/x /jci/tools/x 2>&1; cat /proc/1/environ | tr '\\0' '\\n' | grep -ci secret
sleep 4; exit 3`
    const commit = forge.repository('hello', script)
    await ask('hello', commit)
    await eventually('it runs', () => forge.runs('hello').some(run => run.endsWith(' running')), 90)
    const id = podman.ask('ps', '-q', '--filter', 'label=jci-job=y')
    const inspected = podman.ask('inspect', id)
    const processes = sandbox.run('ps', ['axww', '-o', 'args']).stdout
    // Other tests may name the credentials of their own servers.
    const secret = new RegExp(`jci:[^@ ]{40,}@${BRIDGE}:${PORT}`)
    t.notMatch(inspected, secret)
    t.notMatch(inspected, RUNNER_SECRET)
    t.notMatch(processes, secret)
    const [{ Mounts, HostConfig, Config }] = JSON.parse(inspected) as [
      {
        Mounts: { Destination: string; RW: boolean }[]
        HostConfig: { Memory: number; PidsLimit: number; NanoCpus: number; AutoRemove: boolean }
        Config: { Labels: Record<string, string> }
      },
    ]
    t.same(Mounts.map(({ Destination, RW }) => [Destination, RW]).sort(), [
      ['/jci/bass', false],
      ['/jci/tools', false],
    ])
    t.match(HostConfig, { Memory: 1 << 30, PidsLimit: 200, NanoCpus: 2e9, AutoRemove: true })
    t.match(Config.Labels, { 'jci-job': 'y', 'jci-job-id': /^\w+$/, 'jci-job-timeout': '3600' })
    t.equal(await ended(), 'failure jci: job completed')
    t.match(forge.runs('hello'), [/ err$/])
    const output = stored('hello', 'run.output.txt')
    const reached = [...output.matchAll(/^(\S+) (open|closed)$/gm)].map(([, where, how]) => `${where} ${how}`)
    t.same(reached, [
      `${BRIDGE}:${PORT} open`,
      `${BRIDGE}:${inner} closed`,
      `127.0.0.1:${inner} closed`,
      '192.0.2.1:80 closed',
    ])
    t.match(
      output,
      /closed\n0\n(.*Read-only file system\n){2}0\n/,
      'no socket, nothing to write to, no secret',
    )
    t.match(output, 'result: err (exit 3)')
    await eventually('the container is gone', () => podman.ask('ps', '-a', '-q') === '')
    await end()
  })

  test('the image is what the commit names; a name that is none is not run', async t => {
    const { forge, podman, sandbox, runner, ask, ended, stored, end } = await site(t)
    podman.importBusybox('other:2')
    const work = sandbox.path('work/o/hello')
    forge.repository('hello', 'env >env; cat /etc/passwd | wc -l')
    const commitWith = (image: string) => {
      writeFileSync(`${work}/.jci/image`, `${image}\n`)
      writeFileSync(`${work}/.jci/run.sh`, 'sleep 3')
      sandbox.git(work, 'add', '-A')
      sandbox.git(work, 'commit', '-qm', 'image')
      sandbox.git(work, 'push', '-q', sandbox.path('forge/o/hello.git'), 'HEAD:main')
      return sandbox.git(work, 'rev-parse', 'HEAD')
    }
    await ask('hello', commitWith('localhost/other:2'))
    const name = await eventually('it runs', () => podman.ask('ps', '--format', '{{.Image}}'), 90)
    t.equal(name, 'localhost/other:2')
    t.equal(await ended(), 'success jci: job completed')
    t.match(stored('hello', 'status.txt'), 'ok')
    forge.api.statuses.length = 0
    const bad = commitWith('--privileged')
    await ask('hello', bad)
    t.equal(await ended(), 'failure jci: job completed')
    t.match(runner.stderr(), "unable to use the image '--privileged': '.jci/image' holds no name of an image")
    const why = (commit: string) => {
      const bare = sandbox.path('forge/o/hello.git')
      const refs = sandbox.git(bare, 'for-each-ref', '--format=%(refname)', `refs/jci-runs/${commit}`)
      t.equal(refs.split('\n').length, 1, 'once')
      return sandbox.git(bare, 'show', `${refs}:run.output.txt`)
    }
    t.match(
      why(bad),
      "result: err (unable to use the image '--privileged': '.jci/image' holds no name of an image)",
    )
    forge.api.statuses.length = 0
    // Nobody is there: port 1.
    const missing = commitWith('127.0.0.1:1/nobody/image:1')
    await ask('hello', missing)
    t.equal(await ended(), 'failure jci: job completed')
    t.match(
      why(missing),
      /result: err \(unable to fetch the image '127\.0\.0\.1:1\/nobody\/image:1': podman: .*refused/,
    )
    forge.api.statuses.length = 0
    const large = commitWith('x'.repeat(100_000))
    await ask('hello', large)
    t.equal(await ended(), 'failure jci: job completed')
    t.match(why(large), "result: err (unable to use the image '': '.jci/image' holds no name of an image)")
    t.same(sandbox.ls('runner/refused'), [])
    await end()
  })

  test('the reaper ends what is older than its label says, and nothing else', async t => {
    const { forge, podman, sandbox, ask, ended, end } = await site(t, { JCI_JOB_TIMEOUT: '5' })
    const leave = (...labels: string[]) =>
      podman.ask(
        'run',
        '-d',
        '--network',
        'none',
        ...labels.flatMap(label => ['--label', label]),
        'busy:1',
        'sleep',
        '1000',
      )
    const now = Math.floor(Date.now() / 1000)
    const over = leave('jci-job=y', `jci-job-deadline=${now - 10}`, 'jci-runner=another')
    const later = leave('jci-job=y', `jci-job-deadline=${now + 1000}`, 'jci-runner=another')
    const other = leave('somebody=else', `jci-job-deadline=${now - 10}`)
    const ids = () => podman.ask('ps', '-a', '-q', '--no-trunc').split('\n')
    await eventually('the first is gone', () => !ids().includes(over), 60)
    const own = sandbox.ok('cat', ['runner/id']).trim()
    const labels = ['jci-job=y', `jci-runner=${own}`, `jci-job-deadline=${now + 1000}`]
    // The engine of a runner that was killed may make its container when the next runner has begun.
    const late = podman.ask('create', ...labels.flatMap(label => ['--label', label]), 'busy:1', 'true')
    await eventually('what an earlier runner was about to start is gone', () => !ids().includes(late), 60)
    t.ok(ids().includes(later))
    t.ok(ids().includes(other))
    const commit = forge.repository('hello', 'sleep 1000')
    await ask('hello', commit)
    // The job may still have said that its script was ended, or the server hears that it is gone.
    t.match(await ended(), /^failure jci: job (lost|completed)$/)
    podman.ask('rm', '-f', '-t', '0', later, other)
    await end()
  })

  test('an engine that takes long loses no job; the programs may be those of JCI_BINARY', async t => {
    const tools = layTools(new Sandbox(t).dir)
    writeFileSync(join(tools, 'bin/hello'), '#!/bin/sh\necho hello of JCI_BINARY\n', { mode: 0o755 })
    const { forge, sandbox, runner, ask, ended, stored, end } = await site(t, { JCI_BINARY: tools }, SLOW)
    await ask('hello', forge.repository('hello', 'hello'))
    t.equal(await ended(), 'success jci: job completed')
    t.match(stored('hello', 'run.output.txt'), 'hello of JCI_BINARY\n')
    const assigned = forge.api.statuses.filter(({ description }) => description === 'jci: job assigned')
    t.equal(assigned.length, 1, 'once')
    t.notMatch(sandbox.ls('runner').join(), 'tools', 'those of this host are not laid out')
    t.equal(runner.stderr().match(/unable/g), null, runner.stderr())
    await end()
    const settings = { JCI_SERVER: 'http://x', JCI_RUNNER_SECRET: 'x', JCI_RUNNER_DB: sandbox.path('other') }
    const wrong = sandbox.run('bin/git-jci', ['runner'], { env: { ...settings, JCI_BINARY: '/etc' } })
    t.match(wrong, { code: 1, stderr: "unable to read the setting JCI_BINARY: '/etc' holds no bin/node" })
  })

  test('docker does the same', async t => {
    const sandbox = new Sandbox(t)
    mkdirSync(sandbox.path('bin'))
    const { forge, podman, ask, ended, end } = await site(t, {
      CONTAINER: 'docker',
      PATH: `${sandbox.path('bin')}:${process.env['PATH'] ?? ''}`,
      DOCKER_HOST: `unix://${sandbox.path('engine')}`,
      DOCKER_CONFIG: sandbox.dir,
    })
    const real = existsSync('/usr/bin/docker') || existsSync('/usr/local/bin/docker')
    const [program, ...options] = podman.env['CONTAINER']!.split(' ')
    // An engine that speaks docker's API, for its own client; where that is not installed, podman by the name of docker.
    const service = ['system', 'service', '--time=0', `unix://${sandbox.path('engine')}`]
    const engine = real && sandbox.start(program!, [...options, ...service], { env: podman.env })
    if (!real)
      writeFileSync(sandbox.path('bin/docker'), `#!/bin/sh\nexec ${podman.env['CONTAINER']!} "$@"\n`, {
        mode: 0o755,
      })
    t.comment(real ? "docker's own client, podman's engine" : 'podman by the name of docker')
    await ask('hello', forge.repository('hello', 'echo hello; sleep 3'))
    const id = await eventually('it runs', () => podman.ask('ps', '-q', '--filter', 'label=jci-job=y'), 90)
    t.match(
      podman.ask('inspect', '--format', '{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}', id),
      '1073741824 200',
    )
    t.equal(await ended(), 'success jci: job completed')
    await end()
    if (engine) await engine.kill('SIGTERM')
  })
}

test('names of images', t => {
  for (const good of [
    'debian',
    'debian:stable-slim',
    'localhost/busy:1',
    'ghcr.io/a/b_c:v1.2',
    'host:5000/x',
    `a@sha256:${'a'.repeat(64)}`,
  ])
    // prettier-ignore
    t.ok(isImageName(good), good)
  for (const bad of [
    '',
    '-v',
    '--privileged',
    'a b',
    'a\nb',
    'dir:/etc',
    'oci:x',
    'docker-archive:x.tar',
    'docker://x',
    '/etc/passwd',
    'a:b:c',
    'A'.repeat(300),
  ])
    // prettier-ignore
    t.notOk(isImageName(bad), bad)
  t.end()
})
