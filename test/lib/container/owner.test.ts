// What a killed process left in a real engine is removed by the next one; what a living one has is left alone.

import { test } from 'tap'

import { ask, findEngine } from '../../../lib/container/engine.ts'
import { OWNER, ownerLabel, sweepDead } from '../../../lib/container/owner.ts'
import { self } from '../../../lib/system/process.ts'
import { lacksPodman, Podman } from '../../fixtures/podman.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

test(
  'containers, networks and images of the dead go, those of others stay',
  { skip: lacksPodman() },
  async t => {
    const sandbox = new Sandbox(t)
    const podman = new Podman(t, sandbox)
    podman.importBusybox()
    const { boot, namespace } = self()
    const dead = (host: string) => `${OWNER}=${[host, boot, namespace, 999_999_999, 1].join(' ')}`
    const mine = `${OWNER}=${ownerLabel('here')[OWNER]!}`
    for (const [name, label] of [
      ['dead', dead('here')],
      ['elsewhere', dead('there')],
      ['mine', mine],
    ] as const) {
      podman.ask('create', '--name', name, '--network', 'none', '--label', label, 'busy:1', 'true')
      podman.ask('network', 'create', '--label', label, name)
      podman.importBusybox(`${name}:1`, { name }, `LABEL ${label.replace('=', '="')}"`)
    }
    const engine = findEngine({ ...process.env, ...podman.env, HOST: 'here' })
    t.equal((await sweepDead(engine)).length, 2)
    t.equal((await sweepDead(engine, ['image'])).length, 1)
    podman.ask('network', 'create', '--label', dead('here'), 'dead')
    podman.ask('network', 'create', '--label', mine, 'leaving')
    const leave = `case "$*" in *inspect*) ${engine.command.join(' ')} network rm leaving >&2 ;; esac; exec "$@"`
    const slow = { ...engine, command: ['sh', '-c', leave, 'sh', ...engine.command] }
    t.same(await sweepDead(slow, ['network']), ['dead'], 'also where another goes when it was just listed')
    t.same(podman.ask('ps', '--all', '--format', '{{.Names}}').split('\n').sort(), ['elsewhere', 'mine'])
    t.same(podman.ask('network', 'ls', '--quiet').split('\n').sort(), ['elsewhere', 'mine', 'podman'])
    const images = podman.ask('images', '--format', '{{.Repository}}').split('\n').sort()
    t.same(images, ['localhost/busy', 'localhost/elsewhere', 'localhost/mine'])
    t.same(await sweepDead(engine, ['container', 'network', 'image']), [])
  },
)

test('a refusal of the engine is one sentence, and an engine that is not there a lasting error', async t => {
  const refusing = findEngine({ ...process.env, CONTAINER: 'podman --no-such-option' })
  await t.rejects(ask(refusing, 'list containers', ['ps']), {
    exitCode: 111,
    message: /^unable to list containers: podman: unknown flag/,
  })
  await t.rejects(ask(findEngine({ CONTAINER: '/nowhere/podman' }), 'list containers', ['ps']), {
    exitCode: 100,
    message: /no such file|ENOENT/,
  })
})
