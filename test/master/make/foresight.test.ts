import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'tap'

import { Foresight } from '../../../master/make/foresight.ts'
import { Maker } from '../../../master/make/maker.ts'
import { eventually } from '../../fixtures/sandbox.ts'
import { Workshop } from '../../fixtures/workshop.ts'

const OLD = '1'.repeat(40)
const NEW = '2'.repeat(40)

function lookOut(t: ConstructorParameters<typeof Workshop>[0]) {
  const shop = new Workshop(t)
  const { revs } = shop.project
  const pushes = join(shop.code, 'bass-pending')
  mkdirSync(pushes)
  mkdirSync(join(revs, 'refs/heads/main'), { recursive: true })
  const told: string[] = []
  const foresight = new Foresight(shop.code, revs, revision => told.push(revision))
  t.teardown(() => foresight.close())
  /** As a hook does: a line after the other. */
  const write = (name: string, ...lines: string[]) => {
    for (const line of lines) appendFileSync(join(pushes, name), line + '\n')
  }
  return { pushes, told, foresight, write }
}

test('of each push the first commit is told whose ref had events before', async t => {
  const { pushes, told, foresight, write } = lookOut(t)
  foresight.open()
  write('1.1', `${OLD} ${NEW} refs/heads/other`, `= someone`, `${OLD} ${'0'.repeat(40)} refs/heads/main`)
  await sleep(50)
  t.same(told, [], 'a ref without events, and one that was deleted')
  write('2.1', '= someone', `${OLD} ${'3'.repeat(40)} refs/heads/other`, `${OLD} ${NEW} refs/heads/main`)
  await eventually('a tip', () => told.length > 0)
  write('2.1', '@ 1 2', 'over')
  await sleep(50)
  t.same(told, [NEW], 'once')
  foresight.open()
  write('2.1', 'over')
  rmSync(join(pushes, '2.1'))
  await sleep(50)
  t.same(told, [NEW], 'nor when its hook ends later')
  write('3.1', `${OLD} ${'4'.repeat(64)} refs/heads/main`)
  await eventually('a tip', () => told.length > 1)
  t.same(told, [NEW, '4'.repeat(64)])
})

test('it does not matter whether there is anything to see', async t => {
  const { pushes, told, foresight, write } = lookOut(t)
  foresight.open()
  rmSync(pushes, { recursive: true })
  await sleep(50)
  foresight.open()
  foresight.open()
  mkdirSync(pushes)
  foresight.open()
  write('1.1', `${OLD} ${NEW} refs/heads/main`)
  await eventually('a tip', () => told.length > 0)
  t.same(told, [NEW])
})

/** A maker and what it published. */
function start(t: ConstructorParameters<typeof Workshop>[0]) {
  const shop = new Workshop(t)
  const maker = new Maker(shop.settings({ targets: ['x86'] }), () => undefined)
  t.teardown(() => maker.close())
  const archives = () => {
    const bundles = join(shop.spool.tasks.tmp, '.bundles')
    return existsSync(bundles) ? readdirSync(bundles).filter(name => !name.startsWith('.')) : []
  }
  return { shop, maker, archives }
}

test('what was foreseen is there when its event comes, and is the same as without', async t => {
  const { shop, maker, archives } = start(t)
  const id = shop.commit()
  shop.git(shop.code, 'tag', 'v1')
  maker.foresee(id)
  await eventually('an archive', () => archives().filter(name => !name.endsWith('.lock')).length === 2)
  await sleep(200)
  const before = archives()
  // Nothing is made anew, so nothing gets another time.
  for (const name of before) utimesSync(join(shop.spool.tasks.tmp, '.bundles', name), 1000, 1000)
  shop.touch(id)
  await maker.burst(maker.due())
  t.same(archives(), before)
  const [task] = shop.published()
  t.equal(task, '1:hello:v1:x86')
  t.equal(shop.read(task!, 'code-revision.txt'), id)
})

test('an event that is late has the tags of its own time', async t => {
  const { shop, maker, archives } = start(t)
  const id = shop.commit()
  maker.foresee(id)
  await eventually('an archive', () => archives().length > 0)
  await sleep(1200)
  shop.git(shop.code, 'tag', 'v2')
  shop.touch(id)
  await maker.burst(maker.due())
  t.same(shop.published(), ['1:hello:v2:x86'])
})

test('a commit that is not there, or a repository, is for its event to say', async t => {
  const { shop, maker } = start(t)
  maker.foresee(NEW)
  const id = shop.commit()
  shop.touch(id)
  await maker.burst(maker.due())
  t.same(shop.revisions(), [id], 'another event is none the worse')
  rmSync(shop.code, { recursive: true })
  maker.foresee(id)
  await sleep(100)
  shop.touch(`again/${id}`)
  await t.rejects(maker.burst(maker.due()), { message: /use the repository/ })
})

test('a maker that has just started reads ahead what the newest commit has', async t => {
  const { shop, maker } = start(t)
  shop.commit({ kept: 'the same in both commits' })
  await maker.warmUp()
  const blob = shop.git(shop.code, 'rev-parse', 'HEAD:kept')
  const object = join(shop.code, '.git/objects', blob.slice(0, 2), blob.slice(2))
  const id = shop.commit({ file: 'another' })
  rmSync(object)
  shop.touch(id)
  await maker.burst(maker.due())
  t.equal(shop.published().length, 1, 'git need not be asked for what did not change')
})

test('without a commit, and without a repository, there is nothing to read ahead', async t => {
  const { shop, maker } = start(t)
  await maker.warmUp()
  const id = shop.commit()
  shop.touch(id)
  await maker.burst(maker.due())
  t.same(shop.revisions(), [id])
  rmSync(shop.code, { recursive: true })
  const other = new Maker(shop.settings({ targets: ['x86'] }), () => undefined)
  t.teardown(() => other.close())
  await other.warmUp()
  shop.touch(`again/${id}`)
  await t.rejects(other.burst(other.due()), { message: /use the repository/ })
})
