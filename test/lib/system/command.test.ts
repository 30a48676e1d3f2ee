import { test } from 'tap'

import { failed } from '../../../lib/system/command.ts'
import { EXIT, lasting } from '../../../lib/base/exit.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

const CALL = `require(process.argv[1]).run({ description: { name: 'x' }, main: async () => require('node:fs').`

test('an error of the system ends a program with one line and 111', async t => {
  const box = new Sandbox(t)
  const command = require.resolve('../../../lib/system/command')
  const ended = box.run('node', ['-e', `${CALL}mkdirSync('a/b') })`, command])
  t.equal(ended.code, EXIT.temporary)
  t.equal(ended.stderr, "x: fatal: unable to mkdir 'a/b': no such file or directory\n")
  t.equal(
    box.run('node', ['-e', `${CALL}fsyncSync(99) })`, command]).stderr,
    'x: fatal: unable to fsync a file: bad file descriptor\n',
  )
})

test('a bug keeps its stack', async t => {
  const box = new Sandbox(t)
  const ended = box.run('node', ['-e', `${CALL}nothing() })`, require.resolve('../../../lib/system/command')])
  t.equal(ended.code, EXIT.temporary)
  t.match(ended.stderr, /^x: fatal: unable to go on: TypeError: .*\n +at /)
})

test('what a program knows how to end has its own code', async t => {
  t.equal(failed(lasting('see', 'it is dark')), EXIT.lasting)
})
