// What an image may be, and what its container may do: a Debian, a musl one, another user, bounds and networks.

import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import tap, { test } from 'tap'

import { debianFiles } from '../fixtures/debian.ts'
import { lacksPodman, Podman } from '../fixtures/podman.ts'
import { eventually, lacks, ROOT, Sandbox } from '../fixtures/sandbox.ts'

const skip = lacksPodman()
const podman = skip ? undefined : new Podman(tap, new Sandbox(tap))
podman?.importBusybox()

tap.setTimeout(600_000)

/** Runs a command in a container; `around` is put before bass. */
function run(
  t: ConstructorParameters<typeof Sandbox>[0],
  image: string,
  command: readonly string[],
  { env = {}, around = [] }: { env?: Record<string, string>; around?: readonly string[] } = {},
) {
  const sandbox = new Sandbox(t)
  mkdirSync(sandbox.path('code'))
  const bass = [join(ROOT, 'bin/bass'), 'exec', '--all', '--in', image, '--', ...command]
  const { code, stdout, stderr } = sandbox.run('env', [...around, ...bass], {
    cwd: 'code',
    env: { ...podman!.env, ...env },
  })
  return { code, stdout, stderr, made: sandbox.ls('code') }
}

const shell = (script: string) => ['sh', '-c', script]

test('a container has no privileges, and nothing of the host', { skip }, t => {
  const { stdout } = run(t, 'busy:1', shell('cat /proc/self/status /proc/mounts'))
  t.match(stdout, /^NoNewPrivs:\t1$/m)
  const capabilities = BigInt(`0x${/^CapBnd:\t(\w+)$/m.exec(stdout)![1]!}`)
  for (const [name, bit] of Object.entries({
    SYS_ADMIN: 21n,
    SYS_PTRACE: 19n,
    NET_ADMIN: 12n,
    SYS_MODULE: 16n,
  }))
    t.notOk(capabilities & (1n << bit), name)
  t.notMatch(stdout, /podman\.sock|docker\.sock/)
  t.match(stdout, / \/\.bass-executor \S+ ro,/, 'the executor cannot be changed')
  t.end()
})

test(
  'memory and processes are bounded, and the bound ends the command, not the report of it',
  { skip },
  t => {
    const env = { CONTAINER_MEMORY: '300m', CONTAINER_PIDS: '40', CONTAINER_CPUS: '0.5' }
    const script =
      'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cpu/cpu.cfs_quota_us ' +
      '|| cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max'
    t.match(run(t, 'busy:1', shell(`(${script}) 2>/dev/null`), { env }).stdout, /^314572800\n40\n50000/)
    const much = run(t, 'busy:1', shell('head -c 900m /dev/zero | tail -c 800m | wc -c; echo rest'), { env })
    t.notMatch(much.stdout, '838860800')
    t.match(much.stdout, /rest\n$/, 'the shell goes on')
    t.equal(much.code, 0)
    const many = run(
      t,
      'busy:1',
      shell('i=0; while [ $i -lt 100 ]; do sleep 9 & i=$((i + 1)); done; echo all'),
      { env },
    )
    t.match(many.stderr, /fork/)
    t.notOk(many.stdout.includes('all'))
    t.end()
  },
)

test(
  'CONTAINER_NETWORK is a network of its own, which goes with the container, or one of a name',
  { skip: skip || lacks('ip', 'iptables') },
  async t => {
    // Nothing of this machine's network is touched.
    const script = 'ip link set lo up; exec "$@"'
    const around = ['unshare', '-m', '-n', '--propagation', 'private', 'sh', '-c', script, 'sh']
    const [podmanProgram, ...options] = podman!.env['CONTAINER']!.split(' ')
    const networks = () => podman!.ask('network', 'ls', '--format', '{{.Name}}')
    const seen = (network: string) =>
      run(t, 'busy:1', shell('ls /sys/class/net | tr "\\n" " "'), {
        env: { CONTAINER_NETWORK: network },
        around,
      })
    t.match(seen('none'), { code: 0, stdout: 'lo ' })
    t.match(seen('private'), { code: 0, stdout: 'eth0 lo ' })
    t.equal(networks(), 'podman', 'it is gone')
    new Sandbox(t).ok(podmanProgram!, [...options, 'network', 'create', 'ours'], { env: podman!.env })
    t.match(seen('ours'), { code: 0, stdout: 'eth0 lo ' })
    t.match(networks(), /^ours$/m, 'it stays')
    t.match(seen('nobodys'), { code: 111, stdout: '', stderr: /nobodys/ })

    const sandbox = new Sandbox(t)
    const [program, ...args] = around
    const bass = [
      join(ROOT, 'bin/bass'),
      'exec',
      '--map',
      'jobtmp:x',
      '--in',
      'busy:1',
      '--',
      ...shell('echo up; sleep 1000'),
    ]
    const killed = sandbox.start(program!, [...args, ...bass], {
      env: { ...podman!.env, CONTAINER_NETWORK: 'private' },
    })
    await eventually('it runs', () => killed.stdout() === 'up\n', 60)
    await killed.kill('SIGKILL')
    await eventually('its container ends by itself', () => podman!.ask('ps', '--all', '--quiet') === '', 10)
    t.match(networks(), /^bass-/m)
    seen('none')
    t.notMatch(networks(), /^bass-/m, 'the next start removes what it left')
  },
)

test('an image may have another user, and what that makes comes back', { skip }, t => {
  podman!.importBusybox('nobody:1', {}, 'USER 65534:65534')
  const { code, stdout, made } = run(
    t,
    'nobody:1',
    shell('id -u; (: >/new) 2>/dev/null || echo no; echo x >made'),
  )
  t.match({ code, stdout, made }, { code: 0, stdout: '65534\nno\n', made: ['made'] })
  t.end()
})

test('an image may have another C library', { skip: skip || lacks('musl-gcc') }, t => {
  const sandbox = new Sandbox(t)
  writeFileSync(sandbox.path('p.c'), '#include <stdio.h>\nint main(void) { puts("musl"); return 9; }\n')
  sandbox.ok('musl-gcc', ['-o', 'p', 'p.c'])
  const loader = sandbox.ok('sh', ['-c', 'readelf -p .interp p | grep -o "/[^ ]*"'])
  t.match(loader, /ld-musl/)
  mkdirSync(sandbox.path('root/lib'), { recursive: true })
  copyFileSync(loader, sandbox.path('root', loader))
  copyFileSync(sandbox.path('p'), sandbox.path('root/program'))
  podman!.importTree(sandbox.path('root'), 'musl:1')
  t.match(run(t, 'musl:1', ['/program']), { code: 9, stdout: 'musl\n' })
  t.end()
})

test('an image may be a Debian', { skip: skip || lacks('dpkg-query') }, t => {
  const sandbox = new Sandbox(t)
  writeFileSync(sandbox.path('files'), debianFiles(sandbox).join('\n'))
  sandbox.ok('tar', ['-C', '/', '--no-recursion', '-T', 'files', '-cf', 'root.tar'])
  podman!.ask('import', sandbox.path('root.tar'), 'debian:1')
  const script =
    'cat /etc/debian_version && bash -c "echo \\$BASH_VERSION" && dpkg --version | head -n 1 && perl -e "print qq(perl\\n)"'
  const { code, stdout } = run(t, 'debian:1', shell(script))
  t.equal(code, 0)
  t.match(stdout, /^\d+\.\d+\n\d+\.\d+.*\nDebian 'dpkg'.*\nperl\n$/)
  t.notOk(existsSync(sandbox.path('code')))
  t.end()
})
