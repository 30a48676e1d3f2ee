import { once } from 'node:events'
import { closeSync, copyFileSync, mkdirSync, openSync, readdirSync, writeFileSync, writeSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'tap'

import { EXIT } from '../../../lib/base/exit.ts'
import { openContainer } from '../../../lib/exec/in-container.ts'
import { lacksPodman, Podman } from '../../fixtures/podman.ts'
import { findRuntime } from '../../../lib/exec/runtime.ts'
import { eventually, Sandbox } from '../../fixtures/sandbox.ts'

test(
  'an image that a registry does not have is a lasting error, a registry that is away a passing one',
  { skip: lacksPodman() },
  async t => {
    const registry = createServer((request, response) => {
      if (request.url === '/v2/') return void response.end('{}')
      const isLocked = request.url!.includes('locked')
      const code = isLocked ? 'UNAUTHORIZED' : 'MANIFEST_UNKNOWN'
      response.writeHead(isLocked ? 401 : 404, { 'Content-Type': 'application/json' })
      response.end(JSON.stringify({ errors: [{ code, message: 'no' }] }))
    }).listen(0, '127.0.0.1')
    await once(registry, 'listening')
    t.teardown(() => registry.close())
    const host = `127.0.0.1:${(registry.address() as AddressInfo).port}`
    const sandbox = new Sandbox(t)
    const podman = new Podman(t, sandbox)
    const places = [host, '127.0.0.1:1'].map(
      place => `[[registry]]\nlocation = "${place}"\ninsecure = true\n`,
    )
    const registries = sandbox.path('registries.conf')
    writeFileSync(registries, places.join(''))
    const env = {
      ...process.env,
      ...podman.env,
      HOST: 'here',
      CONTAINERS_REGISTRIES_CONF: registries,
    }
    const failure = (image: string) =>
      openContainer({ image, bounds: { network: 'none' } }, env).then(
        () => t.fail(`${image} is there`),
        (error: unknown) => error,
      )
    for (const image of [`${host}/nosuch:1`, `${host}/locked:1`, 'nosuch:1'])
      t.match(await failure(image), {
        exitCode: EXIT.lasting,
        message: `unable to run '${image}': there is no such image, or no right to it: `,
      })
    t.match(await failure('127.0.0.1:1/nosuch:1'), {
      exitCode: EXIT.temporary,
      message: 'connection refused',
    })
    t.equal(podman.ask('ps', '--all', '--quiet'), '')
  },
)

test('an engine on a machine of another architecture is a sentence', { skip: lacksPodman() }, t => {
  const sandbox = new Sandbox(t)
  const podman = new Podman(t, sandbox)
  const image = podman.importBusybox()
  mkdirSync(sandbox.path('bin'))
  mkdirSync(sandbox.path('code'))
  // To this engine, our loader is one of that architecture.
  const [, loader] = /(\/\S*\/ld-\S+) \(0x/.exec(sandbox.ok('ldd', [process.execPath]))!
  const foreign = sandbox.path('ld-foreign.so')
  copyFileSync(loader!, foreign)
  const RISCV = Buffer.from([0xf3, 0])
  const file = openSync(foreign, 'r+')
  writeSync(file, RISCV, 0, 2, 18)
  closeSync(file)
  const ldd = `#!/bin/sh\n/usr/bin/ldd "$@" | sed 's:${loader!}:${foreign}:'\n`
  writeFileSync(sandbox.path('bin/ldd'), ldd, { mode: 0o755 })
  const env = { ...podman.env, PATH: `${sandbox.path('bin')}:${process.env['PATH']!}` }
  const { code, stderr } = sandbox.run('bin/bass', ['exec', '--all', '--in', image, '--', 'true'], {
    ...{ cwd: 'code', env },
  })
  t.equal(code, EXIT.lasting)
  t.match(
    stderr,
    /^bass: fatal: unable to run 'busy:1': the machine of the engine has another architecture than this one, \S+\n$/,
  )
  t.equal(podman.ask('ps', '--all', '--quiet'), '')
  t.equal(podman.ask('volume', 'ls', '--quiet'), '', 'and what was copied for it is gone')
  t.end()
})

test(
  'executors of other versions go from an engine when one of ours comes',
  { skip: lacksPodman() },
  async t => {
    const podman = new Podman(t, new Sandbox(t))
    const image = podman.importBusybox()
    const old = (digit: string) => `bass-executor-${digit.repeat(20)}`
    const fillWith = async (EXEC_KEEP: string) => {
      for (const name of podman.ask('volume', 'ls', '--quiet').split('\n'))
        if (name.startsWith('bass-executor-') && ![old('1'), old('2')].includes(name))
          podman.ask('volume', 'rm', name)
      const env = { ...process.env, ...podman.env, HOST: 'here', EXEC_KEEP }
      await (await openContainer({ image, bounds: { network: 'none' } }, env)).close()
      const names = podman.ask('volume', 'ls', '--quiet').split('\n')
      return [old('1'), old('2')].map(name => names.includes(name))
    }
    for (const name of [old('1'), old('2')]) podman.ask('volume', 'create', name)
    podman.ask('create', '--network', 'none', '--volume', `${old('2')}:/x`, image, 'true')
    t.same(await fillWith('1h'), [true, true])
    podman.ask('volume', 'create', 'bass-other')
    t.same(await fillWith('0'), [false, true], 'but for one that a container has')
    t.match(podman.ask('volume', 'ls', '--quiet'), /^bass-other$/m)
  },
)

test(
  'a copy that is given up leaves nothing, and one that was killed nothing beyond the next',
  { skip: lacksPodman() },
  async t => {
    const podman = new Podman(t, new Sandbox(t))
    const image = podman.importBusybox()
    const env = { ...process.env, ...podman.env, HOST: 'here', EXEC_KEEP: '1h' }
    const volume = `bass-executor-${findRuntime().hash}`
    podman.ask('volume', 'create', volume)
    const inside = podman.ask('volume', 'inspect', '--format', '{{.Mountpoint}}', volume)
    const stop = new AbortController()
    const opened = openContainer({ image, bounds: { network: 'none' } }, env, stop.signal)
    const copies = () => podman.ask('ps', '--all', '--format', '{{.Names}}').includes(volume)
    await Promise.race([opened, eventually('it copies', copies, 60)])
    stop.abort()
    await t.rejects(opened)
    t.same([readdirSync(inside), podman.ask('ps', '--all', '--quiet')], [[], ''])
    mkdirSync(`${inside}/new-killed`)
    await (await openContainer({ image, bounds: { network: 'none' } }, env)).close()
    t.same(readdirSync(inside), ['ready'])
  },
)
