import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync } from 'node:fs'
import { mock } from 'node:test'
import { test } from 'tap'

import { watch } from '../../../lib/system/watch.ts'
import type { WatchSettings } from '../../../lib/system/watch.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

type T = ConstructorParameters<typeof Sandbox>[0]

/** A watch of an empty directory, under a clock that stands still until it is moved on. */
async function watched(t: T, how: WatchSettings['how']) {
  const box = new Sandbox(t)
  const bell = await watch([box.dir], { how, poll: 2000 })
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(async () => {
    mock.timers.reset()
    await bell.close()
  })
  let rung = false
  const next = bell.next().then(() => (rung = true))
  /** True if the bell has rung when so many milliseconds are over. */
  const after = async (milliseconds: number) => {
    mock.timers.tick(milliseconds)
    await new Promise(done => setImmediate(done))
    return rung
  }
  return { box, next, after }
}

test('on a local file system a change wakes at once', async t => {
  const { box, next } = await watched(t, 'auto')
  mkdirSync(box.path('new'))
  t.ok(await next)
})

test('where file events arrive, a look each 30 s is the safety net', async t => {
  for (const how of ['auto', 'events'] as const) {
    await t.test(how, async t => {
      const { after } = await watched(t, how)
      t.notOk(await after(29_900))
      t.ok(await after(100))
    })
  }
})

test('a poll looks each POLL_INTERVAL', async t => {
  const { after } = await watched(t, 'poll')
  t.notOk(await after(1900))
  t.ok(await after(100))
})

/** Watches in a user namespace of its own, of which the kernel makes no inotify instance; says how long \`next\` took. */
const SCRIPT = `
  const { watch } = require(process.argv[1])
  void watch([process.cwd()], undefined, Number(process.argv[2])).then(async bell => {
    for (let i = 0; i < 3; i++) await bell.next()
    process.stdout.write('looked')
    await bell.close()
  })`

const noNamespace =
  spawnSync('unshare', ['-U', '-r', 'sh', '-c', 'echo 0 >/proc/sys/user/max_inotify_instances']).status !==
    0 && 'no user namespace can be made'

for (const depth of [0, 16]) {
  const name = `where no inotify instance is left it says so and looks each POLL_INTERVAL, ${depth} levels deep`
  test(name, { skip: noNamespace }, async t => {
    const box = new Sandbox(t)
    const command = 'echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"'
    const node = ['node', '-e', SCRIPT, require.resolve('../../../lib/system/watch'), String(depth)]
    const { code, stdout, stderr } = box.run('unshare', ['-U', '-r', 'sh', '-c', command, 'sh', ...node], {
      env: { WATCH: 'events', POLL_INTERVAL: '0.2' },
    })
    t.equal(code, 0)
    t.equal(stdout, 'looked')
    t.match(stderr, /^bass: warning: unable to watch '.*; looking each POLL_INTERVAL\n$/)
    t.equal(stderr.split('\n').length, 2, 'once')
  })
}

test('a directory that cannot be read holds up nothing', async t => {
  const box = new Sandbox(t)
  mkdirSync(box.path('closed'), { mode: 0o000 })
  const node = ['-e', SCRIPT, require.resolve('../../../lib/system/watch'), '16']
  const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups', 'node', ...node]
  const env = { WATCH: 'events', POLL_INTERVAL: '0.2' }
  chmodSync(box.dir, 0o755)
  const { stdout } =
    process.getuid?.() === 0 ? box.run('setpriv', asNobody, { env }) : box.run('node', node, { env })
  t.equal(stdout, 'looked')
})
