import { join } from 'node:path'
import { test } from 'tap'

import { lacks } from '../fixtures/sandbox.ts'
import { Workshop } from '../fixtures/workshop.ts'

const PROGRAM = 'examples/shell-task-maker'

/** The names in an archive of a task, and all bytes of its files. */
function unpacked(shop: Workshop, task: string, file: string): string {
  const path = join(shop.spool.tasks.cur, task, file)
  return shop.ok('tar', ['-tf', path]) + '\n' + shop.ok('tar', ['-xOf', path])
}

for (const shell of ['dash', 'sh']) {
  test(`under ${shell} it makes the tasks that task-maker makes`, { skip: lacks(shell) }, async t => {
    const shop = new Workshop(t)
    // gzip would note when its input was written.
    shop.env['COMPRESSOR'] = 'cat'
    const id = shop.commit()
    shop.git(shop.code, 'tag', 'v1')
    const make = () => shop.ok(shell, [`${process.cwd()}/${PROGRAM}`])
    t.equal(make(), '', 'nothing where there is no event')

    shop.touch(`feature/a+b@c/${id}`, 'KEY=a value\n')
    t.equal(make(), '1:hello:v1:x86\n2:hello:v1:arm:pi')
    t.same(shop.published(), ['1:hello:v1:x86', '2:hello:v1:arm:pi'])
    t.same(
      shop.waiting().filter(name => name === id),
      [],
    )
    t.same(shop.leftovers(), [])

    shop.touch(`feature/a+b@c/${id}`, 'KEY=a value\n')
    await shop.burst({ compressor: ['cat'] })
    const [first, second] = ['1:hello:v1:x86', '3:hello:v1:x86']
    t.same(shop.ls('spool/tasks/cur', first), shop.ls('spool/tasks/cur', second))
    for (const file of shop.ls('spool/tasks/cur', first)) {
      // The tars of git and of ours have other modes and owners, and the same names and contents.
      const read = (task: string) =>
        file.endsWith('.tar') ? unpacked(shop, task, file) : shop.read(task, file)
      t.equal(read(first), read(second), file)
    }
  })
}

test('started again and again it works off all events, and one that cannot be made tasks of is an error', async t => {
  const shop = new Workshop(t)
  const ids = [shop.commit(), shop.commit()]
  ids.forEach(id => shop.touch(id))
  for (let i = 0; i < 3; i++) shop.ok(PROGRAM)
  t.same(shop.revisions().sort(), [...ids, ...ids].sort())
  shop.touch('nope')
  t.not(shop.run(PROGRAM).code, 0)
  t.equal(shop.published().length, 4)
})
