import { test } from 'tap'

import { checkName, contextOf, isOfTestfile } from '../../../lib/testfile/check-name.ts'

test('a check is called by its line, and below the root by its directory as well', async t => {
  t.equal(checkName('', 'unit'), 'unit')
  t.equal(checkName('sdk/go', 'unit'), 'sdk/go unit')
  t.equal(checkName('a\nb\x7f', 'unit'), 'a\\x0ab\\x7f unit')
})

test('a forge shows it with what it is built for where there is more than one of that', async t => {
  const alone = { project: 'hello', archs: 1, shared: false }
  const several = { project: 'hello', archs: 2, shared: false }
  const shared = { project: 'hello', archs: 2, shared: true }
  for (const [name, naming, context] of [
    [null, alone, 'hello x86:pi'],
    [null, shared, 'hello x86:pi'],
    ['sdk/go unit', alone, 'sdk/go unit'],
    ['sdk/go unit', several, 'sdk/go unit x86:pi'],
    ['sdk/go unit', shared, 'hello: sdk/go unit x86:pi'],
    ['Testfile', several, 'Testfile'],
    ['sdk/go Testfile', several, 'sdk/go Testfile'],
    ['Testfile', shared, 'hello: Testfile'],
    ['myTestfile', several, 'myTestfile x86:pi'],
  ] as const)
    t.equal(contextOf(name, 'x86:pi', naming), context)
  t.notOk(isOfTestfile('my.Testfile'))
})
