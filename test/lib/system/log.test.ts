import { test } from 'tap'

import { Sandbox } from '../../fixtures/sandbox.ts'

test('a message is one line, whatever stands in it', async t => {
  const box = new Sandbox(t)
  const script = `
    const { say, speakAs, warn } = require(process.argv[1])
    speakAs('x')
    say('info', 'one\\ntwo \\x1b[31mred')
    warn('tell', 'a\\rb', new Error('\\u009bwhy\\n  not'))`
  const { stderr } = box.run('node', ['-e', script, require.resolve('../../../lib/system/log')])
  t.equal(
    stderr,
    "x: info: one\\x0atwo \\x1b[31mred\nx: warning: unable to tell 'a\\x0db': \\x9bwhy\\x0a  not\n",
  )
})
