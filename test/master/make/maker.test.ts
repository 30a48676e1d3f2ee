import {
  closeSync,
  symlinkSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { Maker } from '../../../master/make/maker.ts'
import { listRecords } from '../../../master/make/record.ts'
import { Workshop } from '../../fixtures/workshop.ts'

test('an event becomes a task for each target, with all that a slave needs', async t => {
  const shop = new Workshop(t)
  const id = shop.commit({ 'src/main.c': 'int main;', '.bass/x': 'not used: there is $STEPS' })
  shop.git(shop.code, 'tag', 'v1.2')
  shop.touch(`feature/x/${id}`, 'LEVEL=3\n')
  t.same(await shop.burst(), ['1:hello:v1.2:x86', '2:hello:v1.2:arm:pi'])
  const steps = shop.git(shop.steps, 'rev-parse', 'HEAD')
  for (const name of shop.published()) {
    t.equal(shop.read(name, 'code-revision.txt'), id)
    t.equal(shop.read(name, 'code-version.txt'), 'v1.2')
    t.equal(shop.read(name, 'steps-revision.txt'), steps)
    t.match(shop.read(name, 'steps-version.txt'), new RegExp(`^\\d{8}-${steps.slice(0, 7)}$`))
    t.equal(shop.read(name, 'ref.txt'), 'feature/x')
    t.equal(shop.read(name, 'params.txt'), 'LEVEL=3')
    const tar = (file: string, ...args: string[]) =>
      shop.ok('tar', ['-xf', join(shop.spool.tasks.cur, name, file), ...args])
    t.equal(tar('code.tar', '-O', 'src/main.c'), 'int main;')
    t.match(tar('steps.tar', '-O', 'build'), /echo built/)
  }
  t.same(shop.leftovers(), [])
  t.same(
    shop.waiting().filter(name => name === id),
    [],
  )
})

test('an event right in $REVS has no ref, and an empty one no parameters', async t => {
  const shop = new Workshop(t)
  shop.commit()
  shop.touch('main')
  const [name] = await shop.burst()
  t.same(shop.ls('spool/tasks/cur', name!), [
    'code-revision.txt',
    'code-version.txt',
    'code.tar',
    'steps-revision.txt',
    'steps-version.txt',
    'steps.tar',
  ])
})

test('an event that is taken while it is being written has the lines that are written', async t => {
  const shop = new Workshop(t)
  const id = shop.commit()
  shop.touch(id)
  const writer = openSync(join(shop.spool.revs, 'hello', id), 'w')
  t.teardown(() => closeSync(writer))
  const burst = shop.burst()
  setTimeout(() => writeSync(writer, 'PUSHER=ada\n'), 10)
  const [name] = await burst
  t.equal(shop.read(name!, 'params.txt'), 'PUSHER=ada')
})

test('archives are shared: of the steps by all tasks, of the code by those of one revision', async t => {
  const shop = new Workshop(t)
  const [a, b] = [shop.commit(), shop.commit()]
  for (const event of [`main/${a}`, `main/${b}`, `other/${b}`]) shop.touch(event)
  const names = await shop.burst({ targets: ['x86'] })
  const inodes = (file: string) => names.map(name => statSync(join(shop.spool.tasks.cur, name, file)).ino)
  t.equal(new Set(inodes('steps.tar')).size, 1)
  t.equal(inodes('code.tar')[1], inodes('code.tar')[2])
  t.equal(new Set(inodes('code.tar')).size, 2)
})

test('without a steps repository the steps are those in .bass of the revision, or none', async t => {
  const shop = new Workshop(t)
  const without = shop.commit()
  const with_ = shop.commit({ '.bass/build': '#!/bin/sh\n' })
  for (const id of [without, with_]) shop.touch(id)
  const names = await shop.burst({ steps: undefined, targets: ['x86'] })
  const list = (name: string) => shop.ok('tar', ['-tf', join(shop.spool.tasks.cur, name, 'steps.tar')])
  t.same(names.map(list), ['', 'build'])
  t.equal(shop.read(names[1]!, 'steps-revision.txt'), with_)
  t.equal(shop.read(names[1]!, 'steps-version.txt'), shop.read(names[1]!, 'code-version.txt'))
})

test('many events become tasks in their order, numbers rising', async t => {
  const shop = new Workshop(t)
  const ids = Array.from({ length: 10 }, () => shop.commit())
  ids.forEach(id => shop.touch(`main/${id}`, '', 0))
  await shop.burst({ targets: ['x86'] })
  t.same(shop.revisions(), ids)
})

test('an archive is the same each time, but for what the compressor does', async t => {
  const shop = new Workshop(t)
  shop.touch(shop.commit())
  const [first] = await shop.burst({ compressor: ['cat'] })
  rmSync(join(shop.spool.tasks.tmp, '.bundles'), { recursive: true })
  shop.touch('main')
  const old = process.umask(0o077)
  t.teardown(() => process.umask(old))
  const [second] = await shop.burst({ compressor: ['cat'] })
  t.equal(shop.read(first!, 'code.tar'), shop.read(second!, 'code.tar'))
})

test('a link in .bass/ to a script of the code is a step of the name of the link', async t => {
  const shop = new Workshop(t)
  shop.commit({ 'scripts/test': 'echo one\n', '.bass/lib/help': 'echo help\n' })
  const links: [string, string][] = [
    ['.bass/20-test', '../scripts/test'],
    ['.bass/10-first', '20-test'],
    ['.bass/lib/tool', '../../scripts/test'],
    ['.bass/lib/inside', 'help'],
    ['.bass/nothing', '../scripts/tset'],
    ['.bass/outside', '/bin/true'],
  ]
  for (const [link, target] of links) symlinkSync(target, join(shop.code, link))
  shop.touch(shop.commit({}))
  const [name] = await shop.burst({ steps: undefined, compressor: ['cat'] })
  const listed = shop.ok('tar', ['-tvf', join(shop.spool.tasks.cur, name!, 'steps.tar')])
  const entries = listed.split('\n').map(line => line.replace(/^(.).*? \S+ +\S+ \S+ \S+ /, '$1 '))
  t.same(entries, [
    '- 10-first',
    '- 20-test',
    'd lib/',
    '- lib/help',
    'l lib/inside -> help',
    '- lib/tool',
    'l nothing -> ../scripts/tset',
    'l outside -> /bin/true',
  ])
})

test('an event that cannot be made into tasks does not block those behind it', async t => {
  const shop = new Workshop(t)
  shop.touch('main/nope')
  const id = shop.commit()
  shop.touch(`main/${id}`)
  await shop.burst()
  t.same(shop.revisions(), [id, id])
  t.ok(shop.waiting().includes('nope'), 'and is not lost')
})

test('an event is given up after enough tries over two minutes, not sooner', async t => {
  const shop = new Workshop(t)
  shop.touch('main/nope')
  const tries = () =>
    listRecords(shop.project).flatMap(record =>
      readdirSync(record)
        .filter(name => name.startsWith('.try-'))
        .map(name => join(record, name)),
    )
  const age = (seconds: number) => {
    for (const path of tries()) {
      const time = statSync(path).mtimeMs / 1000 - seconds
      utimesSync(path, time, time)
    }
  }
  await shop.burst({ eventTries: 3 })
  await shop.burst({ eventTries: 3 })
  t.equal(tries().length, 1, 'it has to wait for its next turn')
  for (const pause of [10, 20, 40]) {
    age(pause)
    await shop.burst({ eventTries: 3 })
  }
  t.equal(tries().length, 4, 'often enough, but within 70 s')
  age(80)
  await shop.burst({ eventTries: 3 })
  t.same(shop.leftovers(), [])
  const [record] = readdirSync(shop.project.failed)
  t.equal(readFileSync(join(shop.project.failed, record!, 'names'), 'utf8'), 'failed\nno such commit\n')
  t.ok(existsSync(join(shop.project.failed, record!, 'main/nope')))
  t.same(shop.published(), [])
})

test('a commit that comes late is made into tasks at the next try', async t => {
  const shop = new Workshop(t)
  const id = shop.commit()
  const elsewhere = shop.path('elsewhere')
  renameSync(shop.code, elsewhere)
  shop.git(shop.dir, 'init', '-q', shop.code)
  shop.touch(`main/${id}`)
  t.same(await shop.burst(), [])
  rmSync(shop.code, { recursive: true })
  renameSync(elsewhere, shop.code)
  const [record] = listRecords(shop.project)
  for (const name of readdirSync(record!)) if (name.startsWith('.try-')) utimesSync(join(record!, name), 0, 0)
  t.equal((await shop.burst()).length, 2)
  t.same(shop.leftovers(), [])
})

test('what is no fault of an event is not counted against it', async t => {
  const shop = new Workshop(t)
  // More than is written without a compressor.
  const id = shop.commit({ large: 'x'.repeat(600_000) })
  shop.touch(id)
  await t.rejects(shop.burst({ code: shop.path('nope') }), /unable to use the repository/)
  await t.rejects(shop.burst({ steps: shop.path('nope') }), /unable to use the repository/)
  t.same(shop.leftovers(), [], 'it was not even taken')
  await shop.burst({ compressor: ['false'] })
  const [record] = listRecords(shop.project)
  t.same(readdirSync(record!), [id])
  await t.rejects(shop.burst({ compressor: ['no-such-program'] }), /unable to run 'no-such-program'/)
  t.equal((await shop.burst()).length, 2)
})

test('parameters of more than 64 KiB are refused', async t => {
  const shop = new Workshop(t)
  shop.commit()
  shop.touch('main', 'x'.repeat(70_000))
  const maker = new Maker(shop.settings(), () => undefined)
  t.teardown(() => maker.close())
  await t.rejects(maker.once(), /unable to make tasks of 'main': it has 70000 bytes/)
})

test('a project whose tasks have no room for a version is refused', async t => {
  const shop = new Workshop(t)
  const targets = ['a'.repeat(100) + ':' + 'h'.repeat(100)]
  t.throws(() => new Maker(shop.settings({ targets }), () => undefined), /no room for a version/)
})

test('a version is cut so that the name fits', async t => {
  const shop = new Workshop(t)
  shop.touch(shop.commit())
  shop.git(shop.code, 'tag', 'v'.repeat(200))
  const target = 'a'.repeat(100) + ':' + 'h'.repeat(60)
  const [name] = await shop.burst({ targets: [target] })
  t.ok(name!.length <= 237)
})
