import fc from 'fast-check'
import { test } from 'tap'

import { parseTaskName } from '../../../../lib/spool/task-name.ts'
import { TaskIndex } from '../../../../master/web/site/task-index.ts'

const task = (num: number, rest = `p:v${num}:arch`) => parseTaskName(`${num}:${rest}`)!

function indexOf(...names: string[]): TaskIndex {
  const index = new TaskIndex()
  index.add(names.map(name => parseTaskName(name)!))
  return index
}

const numbers = (index: TaskIndex, ...query: Parameters<TaskIndex['rows']>) =>
  [...index.rows(...query)].map(row => index.num(row))

test('tasks are in the order of their numbers, however they came', async t => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.nat(60), { maxLength: 8 }), { maxLength: 8 }), batches => {
      const index = new TaskIndex()
      for (const batch of batches) index.add(batch.map(num => task(num)))
      const all = [...new Set(batches.flat())].sort((a, b) => b - a)
      t.same(numbers(index), all)
      const names = all.map(num => index.entry(index.rowOf(num)!).name)
      t.same([names, index.unread], [all.map(num => `${num}:p:v${num}:arch`), all.length])
    }),
    { numRuns: 100 },
  )
})

test('a revision is all tasks of one project and version, where its newest task is', async t => {
  const index = indexOf('1:p:v1:a', '2:p:v1:b', '3:p:v2:a', '4:q:v1:a', '5:p:v1:a:host')
  const revisions = (...query: Parameters<TaskIndex['revisions']>) =>
    [...index.revisions(...query)].map(rows => rows.map(row => index.num(row)))
  t.same(revisions(), [[5, 2, 1], [4], [3]])
  t.same(revisions({}, 5), [[4], [3]], 'the next page begins below the last row of this one')
  t.same(revisions({ project: 'p', arch: 'b' }), [[5, 2, 1]])
})

test('rows are chosen by all that a filter names', async t => {
  const index = indexOf('1:p:v1:a', '2:p:v1:b', '3:p:v2:a', '4:q:v1:a')
  index.set(index.rowOf(1)!, { state: 'success', ref: 'refs/heads/main', host: 'h1' })
  index.set(index.rowOf(3)!, { state: 'failure', ref: 'refs/heads/main', host: 'h2' })
  t.same(numbers(index, { project: 'p' }), [3, 2, 1])
  t.same(numbers(index, { ref: 'refs/heads/main' }), [3, 1])
  t.same(numbers(index, { ref: 'refs/heads/main', host: 'h1' }), [1])
  t.same(numbers(index, { state: 'failure' }), [3])
  t.same(numbers(index, { host: 'unheard-of' }), [])
  t.same(numbers(index, { text: 'v2' }), [3])
  t.same(numbers(index, { project: 'p', arch: 'a' }, 3), [1])
})

test('what is to be read comes newest first, and nothing twice', async t => {
  const index = indexOf('1:p:v:a', '2:p:w:a', '3:p:x:a')
  const read: number[] = []
  for (let row = index.nextUnread(); row !== undefined; row = index.nextUnread()) {
    read.push(index.num(row))
    index.set(row, { state: 'success', ref: '', host: '' })
    if (read.length === 2) index.add([task(9)])
  }
  t.same(read, [3, 2, 9, 1])
  t.equal(index.unread, 0)
})

test('what was pruned is forgotten, and the rest keeps what is known of it', async t => {
  const index = indexOf('1:p:v:a', '2:p:v:b', '3:p:w:a')
  index.set(index.rowOf(2)!, { state: 'failure', ref: 'refs/x', host: 'h' })
  index.retain(new Set([2, 3]))
  t.same(numbers(index), [3, 2])
  t.match(index.entry(index.rowOf(2)!), { name: '2:p:v:b', state: 'failure', ref: 'refs/x', host: 'h' })
  t.same(index.sameRevision(index.rowOf(2)!), [index.rowOf(2)])
})

test('what no task names any more is forgotten, and the refs pushed last are offered', async t => {
  const index = indexOf('1:old:v1:a', '2:p:v1:b', '3:p:v2:a', '4:p:v2:b')
  index.set(index.rowOf(1)!, { state: 'success', ref: 'refs/heads/gone', host: 'h1' })
  index.set(index.rowOf(2)!, { state: 'success', ref: 'refs/heads/z', host: 'h2' })
  index.set(index.rowOf(3)!, { state: 'success', ref: 'refs/heads/m', host: 'h2', label: 'unit' })
  index.set(index.rowOf(4)!, { state: 'waiting', ref: 'refs/heads/a', host: '' })
  t.same(
    index.refs(10),
    ['a', 'm', 'z', 'gone'].map(name => `refs/heads/${name}`),
    'the newest first',
  )
  t.same(index.refs(2), ['refs/heads/a', 'refs/heads/m'])
  t.same(index.refs(9, { project: 'old' }), ['refs/heads/gone'])
  index.retain(new Set([2, 3, 4]))
  t.same(
    [index.refs(10).length, index.hosts(), index.projects(), index.targets()],
    [3, ['h2'], ['p'], ['a', 'b']],
  )
  t.same(index.entry(index.rowOf(3)!), { name: '3:p:v2:a', num: 3, project: 'p', version: 'v2', target: 'a', state: 'success', ref: 'refs/heads/m', host: 'h2', label: 'unit', change: '' }) // prettier-ignore
  t.same(
    [...index.revisions()].map(rows => rows.map(row => index.num(row))),
    [[4, 3], [2]],
  )
  index.add([task(5, 'p:v1:a')])
  t.same(
    [...index.revisions()].map(rows => rows.map(row => index.num(row))),
    [
      [5, 2],
      [4, 3],
    ],
  )
})
