import { existsSync, readdirSync } from 'node:fs'
import { test } from 'tap'

import { Sandbox } from '../fixtures/sandbox.ts'
import { StepsFixture } from '../fixtures/steps.ts'

test('steps run in the order of their names, in the code, and leave labelled logs', async t => {
  const f = new StepsFixture(new Sandbox(t), {
    '10-b': 'pwd; echo err >&2',
    '2-c': 'printf "a\\nb"',
    a: 'exit 77',
  })
  t.same(await f.run(), { verdict: 'success' })
  t.same(readdirSync(`${f.job}/steps`).sort(), ['10-b', '2-c', 'a'])
  t.equal(f.said('10-b'), `${f.work}/code\n`)
  t.equal(f.said('10-b', 'stderr'), 'err\n')
  t.match(f.read('steps', '2-c', 'stdout.txt'), /^@[0-9a-f]{24} a\n@[0-9a-f]{24} b$/)
  t.match(f.read('steps', 'a', 'started'), /^@[0-9a-f]{24}\n$/)
  t.match(f.read('steps', 'a', 'ended'), /^@[0-9a-f]{24}\n$/)
  t.equal(f.exit('a'), '77')
  t.equal(f.read('pkg.txt'), '')
  t.notOk(existsSync(`${f.job}/artifacts`))
})
