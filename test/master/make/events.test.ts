import { mkdirSync, rmdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { Repository } from '../../../lib/git/repository.ts'
import { inOrder, eventPath, scanEvents } from '../../../master/make/events.ts'
import { Workshop } from '../../fixtures/workshop.ts'

test('events are the regular files, however deep; all else is left alone', async t => {
  const shop = new Workshop(t)
  const { revs } = shop.project
  for (const path of [
    'one',
    'main/two',
    'a/b+c@d/e/three',
    '-x',
    '.hidden',
    '.git/four',
    'new\nline',
    'tab\t/five',
  ]) {
    shop.touch(path)
  }
  mkdirSync(join(revs, 'empty'))
  symlinkSync(join(revs, 'one'), join(revs, 'link'))
  symlinkSync(revs, join(revs, 'circle'))
  shop.ok('mkfifo', [join(revs, 'fifo')])
  writeFileSync(Buffer.from(join(revs, 'latin-\xe9'), 'latin1'), '')
  // A directory of bytes whose name in ASCII is taken gives up its events when that has none.
  mkdirSync(join(revs, 'br%E9', 'now'), { recursive: true })
  mkdirSync(Buffer.from(join(revs, 'br\xe9'), 'latin1'))
  writeFileSync(Buffer.from(join(revs, 'br\xe9', 'later'), 'latin1'), '')
  const plain = ['-x', 'a/b+c@d/e/three', 'latin-%E9', 'main/two', 'one']
  t.same(scanEvents(revs).map(eventPath).sort(), plain)
  rmdirSync(join(revs, 'br%E9', 'now'))
  t.same(scanEvents(revs).map(eventPath).sort(), [...plain, 'br%E9/later'].sort())
  t.same(scanEvents(shop.path('nope')), [], 'a directory that is gone has none')
})

test('the oldest event is first; those of one tick are in the order of rev-list', async t => {
  const shop = new Workshop(t)
  const ids = Array.from({ length: 6 }, () => shop.commit())
  for (const id of [...ids.slice(2)].reverse()) shop.touch(`main/${id}`, '', 0)
  shop.touch('main/nope', '', 0)
  shop.touch('main/younger')
  shop.touch(`main/${ids[0]!}`)
  const repository = new Repository(shop.code)
  t.teardown(() => repository.close())
  const events = await inOrder(scanEvents(shop.project.revs), repository)
  t.same(
    events.map(({ revision }) => revision),
    ['nope', ...ids.slice(2), 'younger', ids[0]],
  )
})
