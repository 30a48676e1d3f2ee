// The states E0 to E4, made by hand as a crash leaves them; what a maker that comes later does of each.

import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import fc from 'fast-check'
import { test } from 'tap'

import { scanEvents } from '../../../master/make/events.ts'
import * as records from '../../../master/make/record.ts'
import { Workshop } from '../../fixtures/workshop.ts'

type Tap = ConstructorParameters<typeof Workshop>[0]

/** A record that holds its event, and what makes a batch for it. */
function taken(t: Tap, path = 'main/') {
  const shop = new Workshop(t)
  const id = shop.commit()
  shop.touch(path + id)
  const [event] = scanEvents(shop.project.revs)
  const record = records.takeEvent(shop.project, event!)!
  const batch = (...names: string[]) =>
    records.buildBatch(shop.spool, shop.project, record, event!, [
      { names, fill: task => writeFileSync(join(task, 'code-revision.txt'), id) },
    ]) as { batch: string; names: string[] }
  return { shop, id, event: event!, record, batch }
}

test('E0: a record that was made for no event is removed', async t => {
  const { shop } = taken(t)
  const empty = join(shop.project.making, '0123456789abcdef')
  mkdirSync(join(empty, 'feature', 'x'), { recursive: true })
  t.equal((await shop.burst()).length, 2)
  t.same(shop.leftovers(), [])
})

test('E0: an event is taken once, and a touch afterwards is a new one', async t => {
  const { shop, id, event, record } = taken(t)
  t.equal(records.takeEvent(shop.project, event), undefined, 'it is not there any more')
  t.same(records.listRecords(shop.project), [record])
  shop.touch(`main/${id}`)
  t.equal((await shop.burst()).length, 4)
})

test('E1: a record whose maker was killed is finished, and its half batch is swept', async t => {
  const { shop, record, batch } = taken(t)
  batch('900:hello:v:x86')
  const half = join(shop.spool.tasks.tmp, `.hello.${basename(record)}.0123456789abcdef`)
  mkdirSync(join(half, '901:hello:v:x86'), { recursive: true })
  writeFileSync(join(record, '.names.0123456789abcdef'), '01234')
  const printed = await shop.burst()
  t.same(shop.published(), printed)
  t.same(
    shop.published(),
    ['1', '2'].map(
      (n, i) => `${n}:hello:${shop.read(printed[0]!, 'code-version.txt')}:${['x86', 'arm:pi'][i]!}`,
    ),
  )
  t.same(shop.leftovers(), [])
})

test('E1: a batch stays as long as its record has decided nothing', async t => {
  const { shop, batch } = taken(t)
  batch('900:hello:v:x86')
  records.sweepBatches(shop.spool.tasks.tmp, shop.project)
  t.equal(shop.ls('spool/tasks/tmp').length, 1)
})

test('E1: of two makers with a batch each the first decides, and the other throws its own away', async t => {
  const { shop, record, batch } = taken(t)
  const [first, second] = [batch('1:hello:v:x86'), batch('2:hello:v:x86')]
  t.same(records.decide(shop.spool, shop.project, record, second), second)
  t.same(records.decide(shop.spool, shop.project, record, first), second)
  t.equal(shop.ls('spool/tasks/tmp').length, 1)
  t.same(await shop.burst(), ['2:hello:v:x86'])
  t.same(shop.published(), ['2:hello:v:x86'])
})

test('E1: a maker that comes late finds the record gone and throws its batch away', async t => {
  const { shop, record, batch } = taken(t)
  const late = batch('900:hello:v:x86')
  await shop.burst()
  t.equal(records.decide(shop.spool, shop.project, record, late), undefined)
  t.equal(shop.published().length, 2)
  t.same(shop.leftovers(), [])
})

test('E2: a batch that was published in part is published to its end, each task once', async t => {
  for (const gone of [[], ['1:hello:v:x86'], ['1:hello:v:x86', '2:hello:v:arm:pi']]) {
    const { shop, record, batch } = taken(t)
    const names = ['1:hello:v:x86', '2:hello:v:arm:pi']
    const mine = batch(...names)
    records.decide(shop.spool, shop.project, record, mine)
    const path = join(shop.spool.tasks.tmp, `.hello.${basename(record)}.${mine.batch}`)
    // They were published, taken, run and archived meanwhile.
    for (const name of gone) renameSync(join(path, name), join(shop.spool.tasks.old, name))
    t.same(await shop.burst(), names)
    t.same(
      shop.published(),
      names.filter(name => !gone.includes(name)),
    )
    t.same(shop.leftovers(), [])
  }
})

test('E3: a record that is done is deleted, and its batch with it', async t => {
  const { shop, record, batch } = taken(t)
  batch('900:hello:v:x86')
  renameSync(record, join(shop.project.making, `.done-${basename(record)}`))
  t.same(await shop.burst(), [])
  t.same(shop.published(), [])
  t.same(shop.leftovers(), [])
})

test('giving up is decided like all else: tasks that were decided first are published', async t => {
  const { shop, record, batch } = taken(t)
  const mine = batch('1:hello:v:x86')
  records.decide(shop.spool, shop.project, record, mine)
  t.same(records.decide(shop.spool, shop.project, record, { failed: 'no such commit' }), mine)
})

test('an event that was given up moves to .failed, whoever comes first, and its batches are swept', async t => {
  const { shop, id, record, batch } = taken(t)
  batch('1:hello:v:x86')
  records.decide(shop.spool, shop.project, record, { failed: 'no such commit' })
  t.same(await shop.burst(), [])
  const moved = join(shop.project.failed, basename(record))
  t.equal(readFileSync(join(moved, 'names'), 'utf8'), 'failed\nno such commit\n')
  t.ok(existsSync(join(moved, 'main', id)))
  t.same(shop.leftovers(), [])
})

test('the batches of other projects are left alone', async t => {
  const { shop } = taken(t)
  const others = [
    '.other.0123456789abcdef.0123456789abcdef',
    '.hello.x.0123456789abcdef.0123456789abcdef',
    '.1:p:v:a.0123456789abcdef',
  ]
  for (const name of others) mkdirSync(join(shop.spool.tasks.tmp, name))
  records.sweepBatches(shop.spool.tasks.tmp, shop.project)
  t.same(shop.ls('spool/tasks/tmp'), others.sort())
})

test('refs and revisions called names are no decision', async t => {
  for (const ref of ['names/', 'names/x/', '']) {
    const shop = new Workshop(t)
    const id = shop.commit()
    shop.git(shop.code, 'tag', 'names')
    shop.touch(ref === '' ? 'names' : ref + id)
    t.equal((await shop.burst()).length, 2, ref)
    t.same(shop.revisions(), [id, id])
    t.same(shop.leftovers(), [])
  }
})

test('an event with a second name is an event like others', async t => {
  const { shop, id, record } = taken(t)
  linkSync(join(record, 'main', id), shop.path('elsewhere'))
  t.equal((await shop.burst()).length, 2)
})

test('an empty record is not removed while it holds an event', async t => {
  const { shop, id, record } = taken(t)
  records.removeEmpty(record)
  t.same(readdirSync(join(record, 'main')), [id])
  rmSync(join(record, 'main', id))
  records.removeEmpty(record)
  t.notOk(existsSync(record))
  t.same(records.listRecords(shop.project), [])
})

test('a decision is read as it was written', async t => {
  const line = fc.stringMatching(/^[!-~]+$/)
  const decision = fc.oneof(
    fc.record({ batch: fc.stringMatching(/^[0-9a-f]{16}$/), names: fc.array(line, { minLength: 1 }) }),
    fc.record({ failed: line }),
  )
  fc.assert(
    fc.property(decision, made => {
      const read = records.parseDecision(records.formatDecision(made))
      return JSON.stringify(read) === JSON.stringify(made)
    }),
  )
  t.pass()
})
