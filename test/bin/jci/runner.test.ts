// A runner with real containers, on the network of this host, where the server listens on loopback.

import { test } from 'tap'

import { JciForge, push, RUNNER_SECRET } from '../../fixtures/jci-forge.ts'
import { lacksPodman, Podman } from '../../fixtures/podman.ts'
import { eventually, Sandbox } from '../../fixtures/sandbox.ts'

test(
  'a job in a container, whose image has neither git nor bash nor node',
  { skip: lacksPodman() },
  async t => {
    const sandbox = new Sandbox(t)
    const podman = new Podman(t, sandbox)
    const image = podman.importBusybox()
    const forge = await JciForge.open(t, sandbox)
    const script = 'echo "in $(cat /proc/sys/kernel/hostname)"; sleep 4; ls / >root; exit 3\n'
    const commit = forge.repository('hello', script)
    const { url, running } = await forge.serve()
    const { body, headers } = push('hello', commit)
    await fetch(`${url}/webhook`, { method: 'POST', body, headers })
    const runner = sandbox.start('bin/git-jci', ['runner'], {
      env: {
        ...podman.env,
        JCI_SERVER: url,
        JCI_RUNNER_SECRET: RUNNER_SECRET,
        JCI_RUNNER_DB: sandbox.path('runner'),
        JCI_IMAGE: image,
        // The door is on this host's loopback; there is no other network to try.
        JCI_NETWORK: 'host',
        JCI_MEMORY: '1g',
      },
    })
    await eventually(
      `it runs: ${runner.stderr()}`,
      () => forge.runs('hello').some(run => run.endsWith(' running')),
      90,
    )
    const id = podman.ask('ps', '-q', '--filter', 'label=jci-job=y')
    const inspected = podman.ask('inspect', id)
    const processes = sandbox.run('ps', ['axww', '-o', 'args']).stdout
    // Other tests may name the credentials of their own servers.
    const secret = new RegExp(`jci:[^@ ]{40,}@${new URL(url).host}`)
    t.notMatch(inspected, secret)
    t.notMatch(processes, secret)
    t.match(inspected, /"jci-job-timeout": "3600"/)
    const mounts = (JSON.parse(inspected) as { Mounts: { Destination: string; RW: boolean }[] }[])[0]!.Mounts
    t.same(mounts.map(({ Destination, RW }) => [Destination, RW]).sort(), [
      ['/jci/bass', false],
      ['/jci/tools', false],
    ])
    await eventually('told', () => forge.api.statuses.some(({ state }) => state === 'failure'), 90)
    t.match(forge.runs('hello'), [/ err$/])
    await eventually('the container is gone', () => podman.ask('ps', '-a', '-q') === '')
    t.equal((await runner.kill('SIGTERM')).code, 0)
    t.equal((await running.kill('SIGTERM')).code, 0)
  },
)
