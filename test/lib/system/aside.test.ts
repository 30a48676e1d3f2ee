import { execFileSync } from 'node:child_process'
import { test } from 'tap'

import { ROOT } from '../../../lib/base/root.ts'

/** The priorities (nice) of the threads of a program that compiles aside, and how busy each was, in ms: the first runs JavaScript. */
const SCRIPT = `
const { compileAside } = require('${ROOT}/dist/lib/system/aside.js')
const { readdirSync, readFileSync } = require('fs')
compileAside()
for (let k = 0; k < 60; k++) {
  const f = new Function('a', 'let x = 0; for (let i = 0; i < 20000; i++) x += a * i ^ i; return x //' + k)
  for (let j = 0; j < 20; j++) f(j)
}
setTimeout(() => {
  const threads = readdirSync('/proc/self/task').map(Number).sort((a, b) => a - b)
  console.log(JSON.stringify(threads.map(thread => {
    const stat = readFileSync('/proc/self/task/' + thread + '/stat', 'utf8').split(') ')[1].split(' ')
    const busy = Number(readFileSync('/proc/self/task/' + thread + '/schedstat', 'utf8').split(' ')[0]) / 1e6
    return [Number(stat[16]), busy]
  })))
}, 200)`

test(
  'what compiles has the lowest priority, and what works its own',
  { skip: process.platform !== 'linux' && 'there are no threads to be seen' },
  t => {
    const [main, ...others] = JSON.parse(execFileSync('node', ['-e', SCRIPT], { encoding: 'utf8' })) as [
      number,
      number,
    ][]
    t.equal(main![0], 0)
    const busy = others.filter(([, busy]) => busy > 2)
    t.ok(busy.length > 0, 'something was compiled')
    t.same(
      busy.filter(([nice]) => nice !== 19),
      [],
    )
    t.ok(
      others.some(([nice]) => nice === 0),
      'those that come later are not concerned',
    )
    t.end()
  },
)
