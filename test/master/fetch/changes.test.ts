// Changes: held, approved, superseded, closed and opened again.

import { createHash } from 'node:crypto'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { verb as approve } from '../../../bin/approve.ts'
import { verb as status } from '../../../bin/status.ts'
import { started } from '../../fixtures/forge-site.ts'
import type { ForgeSite } from '../../fixtures/forge-site.ts'
import { call } from '../../fixtures/in-process.ts'

const HEAD = 'refs/pull/7/head'

test('a change of a member runs, and its event says all of it in one line each', async t => {
  const { site, first } = await started(t)
  site.takeEvents()
  const head = site.commit()
  site.push(`main:${HEAD}`)
  const title = 'One\nEVIL=1\r\u2028two'
  await site.pulled({ head, base: first, association: 'MEMBER', fork: true, title })
  await site.fetch()
  const lines = site.events()[`${HEAD}/${head}`]!.split('\n')
  t.same(lines, [
    'CHANGE=7',
    'TITLE=One EVIL=1 two',
    'AUTHOR=grace',
    'URL=https://github.com/o/r/pull/7',
    `BASE=${first}`,
    'TARGET=main',
    'FORK=yes',
    '',
  ])
})

test('a change from outside is held until it is approved, that head and no later one', async t => {
  const { site, first } = await started(t)
  site.takeEvents()
  const [one, two] = [site.commit({ '.bass/evil': 'x', Testfile: 'all: evil\n' }), site.commit()]
  site.push(`${one}:${HEAD}`)
  await site.pulled({ head: one, base: first, fork: true, title: 'Look \x1b[2J here' })
  await site.fetch()
  t.same(site.events(), {})
  t.match(site.files('held/hello')[`${HEAD}/${one}`], /^TOUCHES=\.bass\/evil, Testfile$/m)
  const shown = await call(status, [], site.env)
  t.match(shown.stdout, /held\n.*hello +#7 +grace +changes \.bass\/evil, Testfile +Look/)
  t.notMatch(shown.stdout, /\x1b\[2J/) // eslint-disable-line no-control-regex -- it is what must not be there

  site.push(`${two}:${HEAD}`)
  await site.pulled({ action: 'synchronize', head: two, base: first, fork: true })
  await site.fetch()
  t.same(Object.keys(site.files('held/hello')), [`${HEAD}/${two}`], 'the old head waits no more')
  t.match(await call(approve, ['hello', '7', one], site.env), { code: 100, stderr: /its head is/ })
  for (const odd of ['a', 'HEAD'])
    t.match(await call(approve, ['hello', '7', odd], site.env), { code: 100, stderr: /not the beginning of/ })
  t.match(await call(approve, ['hello', '7', ''], site.env), { code: 100, stderr: /an argument is empty/ })
  t.match(await call(approve, ['hello', '8'], site.env), { code: 100, stderr: /not held; .* are: 7/ })
  t.match(await call(approve, ['helo', '7'], site.env), { code: 100, stderr: /projects .* are 'hello'/ })
  t.match(await call(approve, ['hello', '7'], site.env), { code: 0, stdout: `approved ${two}` })
  t.same(Object.keys(site.events()), [`${HEAD}/${two}`])
  t.match(await call(approve, ['hello', '7'], site.env), { code: 100, stderr: /not held/ })
  const three = site.commit()
  site.push(`${three}:${HEAD}`)
  await site.pulled({ action: 'synchronize', head: three, base: first, fork: true })
  await site.fetch()
  t.same(Object.keys(site.files('held/hello')), [`${HEAD}/${three}`], 'a later head is held again')
})

test('a fork that was deleted: its head is still fetched, and it comes from outside', async t => {
  const { site, first } = await started(t)
  site.takeEvents()
  const head = site.commit()
  site.push(`main:${HEAD}`)
  await site.pulled({ head, base: first, fork: 'gone' })
  await site.fetch()
  t.match(site.files('held/hello')[`${HEAD}/${head}`], /^FORK=yes$/m)
})

test('a new head cancels the work for the old one, and closing cancels all of it; what a person retried goes on', async t => {
  const { site, first } = await started(t)
  site.takeEvents()
  const [one, two] = [site.commit(), site.commit()]
  const task = (num: number, revision: string, retry = '') => {
    const path = join(site.spool.tasks.cur, `${num}:hello:v:testarch`)
    mkdirSync(path)
    writeFileSync(join(path, 'code-revision.txt'), revision + '\n')
    writeFileSync(join(path, 'ref.txt'), HEAD + '\n')
    writeFileSync(join(path, 'params.txt'), 'CHANGE=7\n')
    if (retry) writeFileSync(join(path, 'retry-of.txt'), `1:hello:v:testarch ${retry} 0\n`)
    return () => site.ls('spool/tasks/cur', `${num}:hello:v:testarch`).includes('cancel')
  }
  const [old, wished, lost] = [task(1, one), task(2, one, 'user'), task(3, one, 'lost')]
  const current = task(4, two)
  const other = join(site.spool.tasks.cur, '5:other:v:testarch')
  mkdirSync(other)
  writeFileSync(join(other, 'params.txt'), 'CHANGE=7\n')
  site.push(`${two}:${HEAD}`)
  await site.pulled({ action: 'synchronize', head: two, base: first })
  await site.fetch()
  t.same([old(), wished(), lost(), current()], [true, false, true, false])
  const late = task(6, one)
  await site.fetch()
  t.equal(late(), true, 'also where it is published afterwards')
  await site.pulled({ action: 'closed', head: two, base: first })
  await site.fetch()
  t.same([wished(), current()], [false, true])
  t.same(site.ls('spool/tasks/cur', '5:other:v:testarch'), ['params.txt'])
})

test('with SUPERSEDE=all a new tip of a branch cancels the work for its old one too, and with no nothing is cancelled', async t => {
  for (const [setting, isCancelled] of [
    ['all', true],
    ['changes', false],
    ['no', false],
  ] as const) {
    const { site, first } = await started(t, `SUPERSEDE=${setting}\n`)
    site.takeEvents()
    const path = join(site.spool.tasks.cur, '1:hello:v:testarch')
    mkdirSync(path)
    writeFileSync(join(path, 'code-revision.txt'), first + '\n')
    writeFileSync(join(path, 'ref.txt'), 'refs/heads/main\n')
    const next = site.commit()
    site.push('main')
    await site.pushed('refs/heads/main', first, next)
    await site.fetch()
    t.equal(site.ls('spool/tasks/cur', '1:hello:v:testarch').includes('cancel'), isCancelled, setting)
    t.same(site.takeEvents(), [`refs/heads/main/${next}`])
  }
})

test('a change that is opened again is built again if nothing stands for it', async t => {
  const { site, first } = await started(t)
  site.takeEvents()
  const head = site.commit()
  site.push(`main:${HEAD}`)
  const pull = (action: string) => site.pulled({ action, head, base: first })
  await pull('opened')
  await site.fetch()
  t.equal(site.takeEvents().length, 1)
  await pull('closed')
  await site.fetch()
  await pull('reopened')
  await site.fetch()
  t.equal(site.takeEvents().length, 1, 'nothing stands')
  job(site, 9, HEAD, head, 'failure')
  await pull('reopened')
  await site.fetch()
  t.same(site.events(), {}, 'a verdict stands')
})

test('a change that was closed before it is heard that it was opened stays closed', async t => {
  const { site, first } = await started(t)
  site.takeEvents()
  const head = site.commit()
  site.push(`main:${HEAD}`)
  await site.pulled({ action: 'closed', head, base: first, fork: true, updated: '2026-01-01T00:00:02Z' })
  await site.fetch()
  await site.pulled({ action: 'opened', head, base: first, fork: true, updated: '2026-01-01T00:00:01Z' })
  await site.fetch()
  t.same([site.events(), site.files('held')], [{}, {}])
})

test('a branch whose change is open is built as the change alone, whichever is heard of first', async t => {
  const { site, first } = await started(t, 'FORGE_POLL=0\n')
  site.takeEvents()
  const next = (from: string) => {
    site.git(site.work, 'checkout', '-q', '-B', 'topic', from)
    const head = site.commit()
    site.push('topic', 'topic:refs/pull/7/head')
    return head
  }
  const one = next('main')
  await site.pulled({ head: one, base: first, fork: false })
  await site.pushed('refs/heads/topic', null, one)
  await site.fetch()
  t.same(site.takeEvents(), [`refs/pull/7/head/${one}`])

  const two = next(one)
  await site.pushed('refs/heads/topic', one, two)
  await site.fetch()
  t.same(site.takeEvents(), [], 'the change is still to be heard of')
  await site.pulled({ action: 'synchronize', head: two, base: first, fork: false })
  await site.fetch()
  t.same(site.takeEvents(), [`refs/pull/7/head/${two}`])

  await site.pulled({ action: 'closed', head: two, base: first, fork: false })
  const three = next(two)
  await site.pushed('refs/heads/topic', two, three)
  await site.fetch()
  t.same(site.takeEvents(), [`refs/heads/topic/${three}`], 'it is closed')

  // Another, which is merged, and no delivery tells that it is closed.
  await site.pulled({ number: 8, head: three, base: first, fork: false })
  site.push(`${three}:refs/pull/8/head`)
  await site.fetch()
  t.same(site.takeEvents(), [`refs/pull/8/head/${three}`])
  site.push(`${three}:refs/heads/main`)
  await site.pushed('refs/heads/main', first, three)
  site.git(site.work, 'checkout', '-q', '-B', 'topic', three)
  const four = site.commit()
  site.push('topic')
  await site.pushed('refs/heads/topic', three, four)
  await site.fetch()
  t.same(site.takeEvents(), [`refs/heads/main/${three}`, `refs/heads/topic/${four}`])
})

test('of two deliveries of one second, what is closed stays closed, unless it was opened again', async t => {
  const { site, first } = await started(t)
  site.takeEvents()
  const head = site.commit()
  site.push(`main:${HEAD}`)
  const updated = '2026-01-01T00:00:02Z'
  const pull = async (action: string) => {
    await site.pulled({ action, head, base: first, updated })
    await site.fetch()
    return site.takeEvents().length
  }
  t.equal(await pull('opened'), 1)
  t.equal(await pull('closed'), 0)
  const isOpen = () => (JSON.parse(site.files('inbox/hello/changes')['7']!) as { open: boolean }).open
  for (const action of ['synchronize', 'opened']) {
    t.equal(await pull(action), 0, action)
    t.equal(isOpen(), false, action)
  }
  t.equal(await pull('reopened'), 1, 'nothing stands')
  t.equal(isOpen(), true)
})

test('a change or branch that comes back to a commit that it had left is built again if nothing stands for it, and held again', async t => {
  const { site, first } = await started(t, 'SUPERSEDE=all\nFORGE_POLL=0\n')
  site.takeEvents()
  const [one, two] = [site.commit(), site.commit()]
  const held = () => Object.keys(site.files('held/hello'))
  const moveTo = async (head: string, fork = false) => {
    site.push(`${head}:${HEAD}`)
    await site.pulled({ action: 'synchronize', head, base: first, fork })
    await site.fetch()
    return site.takeEvents()
  }
  t.same(await moveTo(one), [`${HEAD}/${one}`])
  t.same(await moveTo(two), [`${HEAD}/${two}`])
  t.same(await moveTo(one), [`${HEAD}/${one}`], 'it was cancelled')
  t.same(await moveTo(one), [], 'it did not move')
  job(site, 1, HEAD, two, 'failure')
  t.same(await moveTo(two), [], 'a verdict stands')
  await moveTo(first, true)
  await moveTo(one, true)
  t.same(held(), [`${HEAD}/${one}`])
  await moveTo(two, true)
  t.same(held(), [], 'of a head that is no more nothing is held')
  await moveTo(first, true)
  t.same(held(), [`${HEAD}/${first}`], 'held once more')

  const push = async (before: string, after: string) => {
    site.push(`${after}:refs/heads/main`)
    await site.pushed('refs/heads/main', before, after)
    await site.fetch()
    return site.takeEvents()
  }
  t.same(await push(first, one), [`refs/heads/main/${one}`])
  job(site, 2, 'refs/heads/main', one, 'cancelled')
  t.same(await push(one, two), [`refs/heads/main/${two}`])
  job(site, 3, 'refs/heads/main', two, 'success')
  t.same(await push(two, one), [`refs/heads/main/${one}`])
  t.same(await push(one, two), [])
  job(site, 4, 'refs/heads/main', two, 'cancelled', 'sdk lint')
  await push(two, one)
  t.same(await push(one, two), [`refs/heads/main/${two}`], 'one of its checks was cancelled')
  job(site, 5, 'refs/heads/main', two, 'failure', 'sdk lint')
  await push(two, one)
  t.same(await push(one, two), [], 'and has a verdict since')
})

test('a change that gets another target is built anew, compared with that', async t => {
  const { site, first } = await started(t, 'FORGE_POLL=0\n')
  site.takeEvents()
  const [old, head] = [site.commit(), site.commit()]
  site.push(`${old}:refs/heads/old`, `${head}:${HEAD}`)
  const pull = async (action: string, target: string, base: string) => {
    await site.pulled({ action, head, base, target, fork: false })
    await site.fetch()
    const events = site.events()
    site.takeEvents()
    return Object.entries(events).map(([path, text]) => `${path} ${/^BASE=.*$/m.exec(text)?.[0]}`)
  }
  t.same(await pull('opened', 'main', first), [`${HEAD}/${head} BASE=${first}`])
  job(site, 1, HEAD, head, 'success')
  t.same(await pull('edited', 'old', old), [`${HEAD}/${head} BASE=${old}`])
  t.same(await pull('edited', 'old', old), [])
})

test('another target of a change cancels the work for its old one, but for what a person retried', async t => {
  for (const [setting, isCancelled] of [
    ['changes', true],
    ['no', false],
  ] as const) {
    const { site, first } = await started(t, `FORGE_POLL=0\nSUPERSEDE=${setting}\n`)
    const head = site.commit()
    site.push(`${head}:${HEAD}`, `${first}:refs/heads/old`)
    await site.pulled({ head, base: first, fork: false })
    await site.fetch()
    const task = (num: number, target: string | undefined, files: Record<string, string> = {}) => {
      const name = `${num}:hello:v:testarch`
      const facts = {
        'code-revision.txt': `${head}\n`,
        'ref.txt': `${HEAD}\n`,
        'params.txt': `CHANGE=7\n${target === undefined ? '' : `TARGET=${target}\n`}`,
      }
      mkdirSync(join(site.spool.tasks.cur, name))
      for (const [file, text] of Object.entries({ ...facts, ...files }))
        writeFileSync(join(site.spool.tasks.cur, name, file), text)
      return () => site.ls('spool/tasks/cur', name).includes('cancel')
    }
    const before = [
      task(1, 'main'),
      task(2, 'main', { 'retry-of.txt': '1:hello:v:testarch user 0\n' }),
      task(3, undefined),
    ]
    await site.pulled({ action: 'edited', head, base: first, target: 'old', fork: false })
    await site.fetch()
    const after = [task(4, 'old'), task(5, 'main')]
    await site.fetch()
    const cancelled = [...before, ...after].map(is => is())
    t.same(cancelled, [isCancelled, false, false, false, isCancelled], setting)
  }
})

test('an event that another record is about to make is not made once more', async t => {
  const { site, first } = await started(t, 'FORGE_POLL=0\n')
  site.takeEvents()
  const next = site.commit()
  site.push('main')
  await site.pushed('refs/heads/main', first, next, 'one')
  // As after a kill between the name of the event and the plan.
  const made = site.path('spool/inbox/hello/made')
  const key = createHash('sha256').update(`refs/heads/main\n${next}\n`).digest('hex').slice(0, 40)
  writeFileSync(join(made, key), 'one\n')
  mkdirSync(site.path('spool/inbox/hello/doing/one'))
  await site.pushed('refs/heads/main', first, next, 'two')
  // The second first: the first is not there to be worked off.
  renameSync(site.path('spool/inbox/hello/new/one'), site.path('one'))
  writeFileSync(site.path('spool/inbox/hello/doing/one/other'), '')
  await site.fetch()
  t.same(site.takeEvents(), [])
  renameSync(site.path('one'), site.path('spool/inbox/hello/doing/one/delivery'))
  await site.fetch()
  t.same(site.takeEvents(), [`refs/heads/main/${next}`])
})

/** A job of a ref and revision that is over. */
function job(
  site: ForgeSite,
  num: number,
  ref: string,
  revision: string,
  verdict: string,
  label?: string,
): void {
  const name = `${num}:hello:v:testarch`
  const [task, at] = [join(site.spool.tasks.old, name), join(site.spool.jobs.old, name)]
  for (const path of [task, at]) mkdirSync(path)
  writeFileSync(join(task, 'code-revision.txt'), `${revision}\n`)
  writeFileSync(join(task, 'ref.txt'), `${ref}\n`)
  if (label !== undefined) writeFileSync(join(task, 'label.txt'), `${label}\n`)
  writeFileSync(join(at, 'result.txt'), `${verdict}\n`)
}
