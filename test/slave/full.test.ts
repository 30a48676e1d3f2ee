// An engine whose disk is full, and a container that is removed beneath a command: a sentence each.

import { mkdirSync } from 'node:fs'
import tap, { test } from 'tap'

import { isLong } from '../fixtures/conformance.ts'
import { lacksPodman, Podman } from '../fixtures/podman.ts'
import { eventually, Sandbox } from '../fixtures/sandbox.ts'

const skip = lacksPodman()
const machine = new Sandbox(tap)
const podman = skip ? undefined : new Podman(tap, machine)
podman?.importBusybox()

tap.setTimeout(300_000)

function prepare(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  mkdirSync(sandbox.path('code'))
  const words = (script: string) => ['exec', '--all', '--in', 'busy:1', '--', 'sh', '-c', script]
  const how = { cwd: 'code', env: podman!.env }
  return {
    sandbox,
    exec: (script: string) => sandbox.run('bin/bass', words(script), how),
    start: (script: string) => sandbox.start('bin/bass', words(script), how),
  }
}

if (isLong)
  test('a disk that the command fills is its own affair, and then that of bringing back', { skip }, t => {
    const { sandbox, exec } = prepare(t)
    t.equal(exec('true').code, 0)
    const volumes = machine.path('podman/root/volumes')
    const executor = podman!.ask('volume', 'ls', '--quiet')
    const copy = machine.path('copy')
    machine.ok('cp', ['-a', volumes, copy])
    machine.ok('mount', ['-t', 'tmpfs', '-o', 'size=200m', 'tmpfs', volumes])
    try {
      machine.ok('cp', ['-a', `${copy}/${executor}`, volumes])
      const fill = 'head -c 300m /dev/zero > big'
      const cleaned = exec(`${fill}; echo $?; rm big; echo ok > small`)
      t.match(cleaned, { code: 0, stdout: '1\n', stderr: /^head: / })
      t.same(sandbox.ls('code'), ['small'])
      const full = exec(`echo more > small; ${fill}`)
      t.equal(full.code, 111)
      t.match(full.stderr, /\nbass: fatal: unable to run it there: .*no space left on device\n$/i)
      t.same(sandbox.ls('code'), ['small'], 'nothing half comes back')
    } finally {
      machine.ok('umount', ['--lazy', volumes])
    }
    t.equal(exec('true').code, 0)
    t.equal(podman!.ask('ps', '--all', '--quiet'), '')
    t.end()
  })

test(
  'a disk here that has no room for what comes back is one sentence, and nothing half is there',
  { skip },
  t => {
    const { sandbox } = prepare(t)
    mkdirSync(sandbox.path('out'))
    sandbox.ok('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', sandbox.path('out')])
    try {
      const words = ['--', 'sh', '-c', 'echo a >a; head -c 8m /dev/zero | tr "\\0" x >big']
      const { code, stderr } = sandbox.run(
        'bin/bass',
        ['exec', '--all', '--out', '../out', '--in', 'busy:1', ...words],
        {
          ...{ cwd: 'code', env: podman!.env },
        },
      )
      t.equal(code, 111)
      t.match(
        stderr,
        /^bass: fatal: unable to bring back what it changed into '\S+\/out': no space left on device\n$/,
      )
      t.same(sandbox.ls('out'), [])
    } finally {
      sandbox.ok('umount', [sandbox.path('out')])
    }
    t.end()
  },
)

test('a container that is removed beneath a command is one sentence', { skip }, async t => {
  const { sandbox, start } = prepare(t)
  const running = start('echo up; sleep 1000')
  await eventually('it runs', () => running.stdout() === 'up\n', 60)
  podman!.ask('rm', '--force', '--time', '0', podman!.ask('ps', '--quiet'))
  t.match(await running.ended, {
    code: 111,
    stderr: /^bass: fatal: unable to run 'sh' there: .*\n$/,
  })
  t.same(sandbox.ls('code'), [])
  t.same(sandbox.ls('jobtmp'), [])
})
