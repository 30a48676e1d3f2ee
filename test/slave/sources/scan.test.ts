import { test } from 'tap'

import { parseTaskName } from '../../../lib/spool/task-name.ts'
import { candidates, isPaused, passAfterRace } from '../../../slave/sources/scan.ts'

const tasks = (...names: string[]) => names.map(name => parseTaskName(name)!)
const names = (found: { name: string }[]) => found.map(({ name }) => name)

test('only tasks for this architecture, and for this host or any, are tried', async t => {
  const all = tasks('1:p:v:a', '2:p:v:b', '3:p:v:a:here', '4:p:v:a:there')
  t.same(names(candidates(all, 'a', 'here', 0, new Set())), ['1:p:v:a', '3:p:v:a:here'])
})

test('a scan begins behind the last number and comes around, so that all get their turn', async t => {
  const all = tasks('1:p:v:a', '2:p:v:a', '5:p:v:a', '9:p:v:a')
  t.same(names(candidates(all, 'a', 'h', 2, new Set())), ['5:p:v:a', '9:p:v:a', '1:p:v:a', '2:p:v:a'])
  t.same(names(candidates(all, 'a', 'h', 9, new Set())), ['1:p:v:a', '2:p:v:a', '5:p:v:a', '9:p:v:a'])
})

test('a name that was seen claimed is never tried again', async t => {
  t.same(names(candidates(tasks('1:p:v:a', '2:p:v:a'), 'a', 'h', 0, new Set(['1:p:v:a']))), ['2:p:v:a'])
})

test('a pause of all, of the project or of this host holds a task', async t => {
  const [task] = tasks('1:p:v:a')
  for (const pause of ['all', 'project:p', 'host:h']) t.ok(isPaused(task!, 'h', new Set([pause])), pause)
  t.notOk(isPaused(task!, 'h', new Set(['project:q', 'host:i', 'p'])))
})

test('after a race some of the candidates are passed over, never all, nor more than some hundred', async t => {
  const passes = (candidates: number) => Array.from({ length: 2000 }, () => passAfterRace(candidates))
  t.ok(passes(1).every(pass => pass === 0))
  t.same([...new Set(passes(3))].sort(), [0, 1, 2])
  const many = passes(20_000)
  t.ok(Math.max(...many) < 256 && Math.max(...many) > 200 && Math.min(...many) < 50)
})
