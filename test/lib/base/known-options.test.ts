import { test } from 'tap'

import { oddOption } from '../../../lib/base/known-options.ts'

const DESCRIPTION = {
  name: 'x',
  usage: '',
  operands: [0, 9],
  about: 'Does nothing.',
  options: {
    json: { type: 'boolean', about: '' },
    follow: { type: 'boolean', about: '', alias: 'f' },
    lines: { type: 'string', about: '', alias: 'n' },
    env: { type: 'list', about: '' },
  },
} as const

test('an option that a command does not have is named, with the one that may be meant', t => {
  const table: [string, string | undefined][] = [
    ['--json --lines 5 --lines=5 -n5 -n 5 -fn5 -fn 5 --env a --env=b=c -h --version --', undefined],
    ['-n -1 -1 a - b', undefined],
    ['a -- --nothing -x', undefined],
    ['--jsn', "there is no option '--jsn'; did you mean '--json'?"],
    ['--JSON', "there is no option '--JSON'"],
    ['--no-json', "there is no option '--no-json'"],
    ['--line=3', "there is no option '--line'; did you mean '--lines'?"],
    ['--lines.x=3', "there is no option '--lines.x'"],
    ['--constructor', "there is no option '--constructor'"],
    ['--__proto__=1', "there is no option '--__proto__'"],
    ['--=', "there is no option '--'"],
    ['-x', "there is no option '-x'"],
    ['-fx', "there is no option '-x'"],
    ['--json=maybe', "'--json' takes no value"],
    ['--json=', "'--json' takes no value"],
  ]
  for (const [line, why] of table) t.equal(oddOption(DESCRIPTION, line.split(' ')), why, line)
  t.end()
})
