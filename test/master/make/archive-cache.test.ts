import {
  existsSync,
  linkSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { cachedArchive, makeScratch } from '../../../master/make/archive-cache.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

const DAY = 24 * 3600

function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  let made = 0
  const get = (...ingredients: string[]) =>
    cachedArchive(sandbox.dir, ingredients, async fd => {
      made++
      await new Promise(done => setTimeout(done, 5))
      writeSync(fd, ingredients.join())
    })
  const age = (path: string, seconds: number) => {
    const then = Date.now() / 1000 - seconds
    utimesSync(path, then, then)
  }
  return { sandbox, get, age, count: () => made }
}

test('an archive is made once, also for those who ask at the same time', async t => {
  const { get, count } = make(t)
  const paths = await Promise.all([get('a', 'b'), get('a', 'b'), get('a', 'b')])
  t.equal(new Set([...paths, await get('a', 'b')]).size, 1)
  t.equal(count(), 1)
  t.equal(readFileSync(paths[0], 'utf8'), 'a,b')
  t.not(await get('ab', ''), paths[0], 'and another of other ingredients')
})

test('an archive that could not be made leaves nothing behind and is tried again', async t => {
  const { sandbox, get, count } = make(t)
  await t.rejects(
    cachedArchive(sandbox.dir, ['a'], async fd => {
      writeSync(fd, 'half')
      throw new Error('no more')
    }),
    { message: 'no more' },
  )
  t.same(readdirSync(sandbox.dir), ['jobtmp'])
  t.equal(readFileSync(await get('a'), 'utf8'), 'a')
  t.equal(count(), 1)
})

test('what a killed maker left half-written is not used, and its lock is not waited for in vain', async t => {
  const { sandbox, get } = make(t)
  const path = await get('a')
  writeFileSync(path.replace(/[^/]*$/, '.$&.0123456789abcdef'), 'half')
  t.equal(readFileSync(await get('a'), 'utf8'), 'a')
  t.same(
    sandbox.ls().filter(name => name.endsWith('.lock')),
    [],
  )
})

test('archives that no task has are forgotten after a day, and with them what was left by the killed', async t => {
  const { sandbox, get, age } = make(t)
  const [old, used, young] = [await get('old'), await get('used'), await get('young')]
  linkSync(used, sandbox.path('jobtmp', 'steps.tar'))
  writeFileSync(sandbox.path('.half'), '')
  const [left, running] = [makeScratch(sandbox.dir), makeScratch(sandbox.dir)]
  writeFileSync(join(left, 'pack'), '')
  for (const path of [old, used, sandbox.path('.half'), left]) age(path, 2 * DAY)
  await get('not yet')
  t.ok(existsSync(old), 'within an hour nothing is looked at')
  age(sandbox.path('.forgotten'), DAY)
  await get('now')
  t.notOk(existsSync(old))
  t.notOk(existsSync(join(sandbox.dir, '.half')))
  t.notOk(existsSync(left))
  t.ok(existsSync(running))
  t.ok(existsSync(used))
  t.ok(existsSync(young))
})
