import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { mock } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'

import { watch } from '../../../lib/system/watch.ts'
import type { Watch } from '../../../lib/system/watch.ts'
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

/** True if a promise is kept within so many milliseconds. */
const within = (milliseconds: number, promise: Promise<unknown>) =>
  Promise.race([promise.then(() => true), sleep(milliseconds, false)])

/** Chokidar comes to know a directory in some turns of the event loop: whichever it is, nothing is to be missed. */
async function afterTurns(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise(done => setImmediate(done))
}

test('whenever something comes into a directory that is new, a look follows', async t => {
  const box = new Sandbox(t)
  const bell = await watch([box.dir], { how: 'events', poll: 60_000 }, true)
  t.teardown(() => bell.close())
  const missed: number[] = []
  for (let turns = 0; turns < 60; turns++) {
    const [directory, file] = [box.path(`new${turns}/branch`), box.path(`new${turns}/branch/event`)]
    const look = async () => {
      do await bell.next()
      while (!existsSync(file))
    }
    const looking = look()
    mkdirSync(directory, { recursive: true })
    await afterTurns(turns)
    writeFileSync(file, '')
    if (!(await within(2000, looking))) missed.push(turns)
    bell.ring()
    await looking
  }
  t.same(missed, [])
})

test('a directory that appears while the watch begins is watched as well', async t => {
  const missed: number[] = []
  for (let turns = 0; turns < 40; turns++) {
    const box = new Sandbox(t)
    const bell = await watch([box.dir], { how: 'events', poll: 60_000 }, true)
    await afterTurns(turns)
    mkdirSync(box.path('branch'))
    let ring = bell.next()
    while (await within(50, ring)) ring = bell.next()
    writeFileSync(box.path('branch/event'), '')
    if (!(await within(2000, ring))) missed.push(turns)
    bell.ring()
    await bell.close()
  }
  t.same(missed, [])
})

/** Waits until nothing has rung for a while; returns the next ring. */
async function quiet(bell: Watch): Promise<{ ring: Promise<void> }> {
  let ring = bell.next()
  while (await within(300, ring)) ring = bell.next()
  return { ring }
}

/** True if a file that comes while all is quiet is heard of. */
async function isHeard(bell: Watch, path: string): Promise<boolean> {
  const { ring } = await quiet(bell)
  writeFileSync(path, '')
  const heard = await within(2000, ring)
  bell.ring()
  await ring
  return heard
}

for (const when of ['before the watch', 'after it']) {
  test(`a directory that was there ${when} is watched again when it is made again`, async t => {
    const box = new Sandbox(t)
    const make = () => mkdirSync(box.path('a/b'), { recursive: true })
    if (when === 'before the watch') make()
    const bell = await watch([box.dir], { how: 'events', poll: 60_000 }, true)
    t.teardown(() => bell.close())
    await quiet(bell)
    make()
    await quiet(bell)
    // At one go: whoever looks at the tree sees no difference.
    rmSync(box.path('a'), { recursive: true })
    make()
    for (const file of ['a/event', 'a/b/event']) t.ok(await isHeard(bell, box.path(file)), file)
  })
}

test('the directory to watch may be a link', async t => {
  const box = new Sandbox(t)
  mkdirSync(box.path('real/branch'), { recursive: true })
  symlinkSync('real', box.path('link'))
  const bell = await watch([box.path('link')], { how: 'events', poll: 60_000 }, true)
  t.teardown(() => bell.close())
  for (const file of ['real/event', 'real/branch/event']) t.ok(await isHeard(bell, box.path(file)), file)
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
  void watch([process.cwd()], undefined, process.argv[2] === 'deep').then(async bell => {
    for (let i = 0; i < 3; i++) await bell.next()
    process.stdout.write('looked')
    await bell.close()
  })`

const noNamespace =
  spawnSync('unshare', ['-U', '-r', 'sh', '-c', 'echo 0 >/proc/sys/user/max_inotify_instances']).status !==
    0 && 'no user namespace can be made'

for (const depth of ['flat', 'deep']) {
  const name = `where no inotify instance is left it says so and looks each POLL_INTERVAL, ${depth}`
  test(name, { skip: noNamespace }, async t => {
    const box = new Sandbox(t)
    const command = 'echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"'
    const node = ['node', '-e', SCRIPT, require.resolve('../../../lib/system/watch'), depth]
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
  const node = ['-e', SCRIPT, require.resolve('../../../lib/system/watch'), 'deep']
  const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups', 'node', ...node]
  const env = { WATCH: 'events', POLL_INTERVAL: '0.2' }
  chmodSync(box.dir, 0o755)
  const { stdout } =
    process.getuid?.() === 0 ? box.run('setpriv', asNobody, { env }) : box.run('node', node, { env })
  t.equal(stdout, 'looked')
})
