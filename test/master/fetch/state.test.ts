import { test } from 'tap'

import { inboxOf, makeInbox } from '../../../master/receive/inbox.ts'
import { readTips, writeTips } from '../../../master/fetch/state.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

test('the tips of a repository with very many changes are read as they were written', t => {
  const spool = new Sandbox(t).makeSpool()
  const inbox = inboxOf(spool, 'hello')
  makeInbox(inbox)
  t.equal(readTips(inbox), undefined, 'before the first look')
  const refs = Array.from({ length: 100_000 }, (_, i) => `refs/pull/${i}/head`)
  const tips = new Map(refs.map((ref, i) => [ref, i.toString(16).padStart(40, '0')]))
  writeTips(inbox, tips, spool.tasks.tmp)
  t.same(readTips(inbox)?.size, refs.length)
  t.equal(readTips(inbox)?.get(refs.at(-1)!), tips.get(refs.at(-1)!))
  t.end()
})
