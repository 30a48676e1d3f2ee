import { test } from 'tap'

import { failed } from '../../../lib/system/command.ts'
import { EXIT, lasting } from '../../../lib/base/exit.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

const CALL = `require(process.argv[1]).runMain({ description: { name: 'x' }, main: async () => require('node:fs').`

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

test('a bug is one line that says where it came from', async t => {
  const box = new Sandbox(t)
  const ended = box.run('node', ['-e', `${CALL}nothing() })`, require.resolve('../../../lib/system/command')])
  t.equal(ended.code, EXIT.temporary)
  t.match(ended.stderr, /^x: fatal: unable to go on: TypeError: .* at .*:\d+:\d+\)?\n$/)
  t.equal(ended.stderr.split('\n').length, 2)
})

test('whatever is thrown where nobody catches it ends a program with one line and 111', async t => {
  const box = new Sandbox(t)
  const command = require.resolve('../../../lib/system/command')
  const alive = 'setInterval(() => undefined, 1000)'
  const cases = {
    'in a timer': `new Promise(() => { ${alive}; setTimeout(() => { throw new Error('two\\nlines') }) })`,
    'by a promise that nobody awaits': `new Promise(() => { ${alive}; void Promise.reject(new Error('two\\nlines')) })`,
    'by a stream that nobody listens to': `new Promise(() => { ${alive}; require('node:net').connect('/none') })`,
    'while something else goes on': `{ ${alive}; return Promise.reject(new Error('two\\nlines')) }`,
    'by never coming to an end': 'new Promise(() => undefined)',
  }
  for (const [where, body] of Object.entries(cases)) {
    const script = `require(process.argv[1]).runMain({ description: { name: 'x' }, main: () => ${body} })`
    const { code, stderr } = box.run('node', ['-e', script, command])
    t.equal(code, EXIT.temporary, where)
    t.match(stderr, /^x: fatal: unable to [^\n]+\n$/, where)
  }
})

test('what a program knows how to end has its own code', async t => {
  t.equal(failed(lasting('see', 'it is dark')), EXIT.lasting)
})

test('what is empty, as of a variable that is not set, is never taken for the current directory', async t => {
  const box = new Sandbox(t)
  box.makeSpool()
  const table: [string[], string][] = [
    [['deploy', ''], 'an argument is empty'],
    [['service', 'add', '', '--reaper'], 'an argument is empty'],
    [['init', ''], 'an argument is empty'],
    [['up', ''], 'an argument is empty'],
    [['init', 'x', '--project', 'p', '--code', ''], '--code is empty'],
    [['init', 'x', '--project', 'p', '--code', '.', '--steps='], '--steps is empty'],
    [['log', '1', ''], 'an argument is empty'],
  ]
  for (const [argv, why] of table) {
    const stderr = `bass: fatal: unable to understand the arguments: ${why}; usage: bass ${argv[0]!}`
    t.match(box.run('bin/bass', argv), { code: 100, stderr })
  }
  t.notOk(box.ls('.').includes('x'))
  t.same(
    box.ls('.').filter(name => name.startsWith('bass-')),
    [],
  )
})

test('wrong options are one sentence, in one language, whoever asks', async t => {
  const box = new Sandbox(t)
  const env = { LC_ALL: 'de_DE.UTF-8', LANGUAGE: 'de' }
  const table: [string[], string][] = [
    [['--jsn'], "there is no option '--jsn'; did you mean '--json'?"],
    [['-n'], '-n wants a value'],
    [['--lines'], '--lines wants a value'],
    [['--lines.x=3'], "there is no option '--lines.x'"],
    [['--json=maybe'], "'--json' takes no value"],
    [['-n', '1', '-n', '2'], '--lines is given twice'],
  ]
  for (const [argv, why] of table) {
    t.match(box.run('bin/bass', ['status', ...argv], { env }), {
      code: 100,
      stderr: `bass: fatal: unable to understand the arguments: ${why}; usage: bass status [PROJECT]`,
    })
  }
})
