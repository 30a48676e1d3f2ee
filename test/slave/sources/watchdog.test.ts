import { join } from 'node:path'
import { test } from 'tap'

import { eventually, Sandbox } from '../../fixtures/sandbox.ts'
import { ROOT } from '../../../lib/base/root.ts'

const MODULE = JSON.stringify(join(ROOT, 'dist/slave/sources/watchdog.js'))

/** Runs a program that has a watchdog. */
const run = (box: Sandbox, body: string) =>
  box.start('node', ['-e', `const dog = new (require(${MODULE}).Watchdog)(); ${body}`])

test('what does not say in time that it lives is killed, with a sentence', async t => {
  const hangs = run(new Sandbox(t), 'dog.killIn(300); setTimeout(() => { for (;;); }, 50)')
  t.match(await hangs.ended, { signal: 'SIGKILL', stderr: /^worker: fatal: it was stopped, or hung/ })
})

test('what says so, or has nothing to say, lives, and ends by itself', async t => {
  const box = new Sandbox(t)
  const says = run(
    box,
    'let n = 0; const timer = setInterval(() => (++n < 12 ? dog.killIn(2000) : clearInterval(timer)), 250)',
  )
  t.match(await says.ended, { code: 0, signal: null, stderr: '' })
  const rests = run(box, 'dog.killIn(2000); dog.rest(); setTimeout(() => {}, 3000)')
  t.match(await rests.ended, { code: 0, signal: null, stderr: '' })
})

test('a watchdog that is killed is replaced', async t => {
  const box = new Sandbox(t)
  const program = run(box, 'setInterval(() => dog.killIn(2000), 100)')
  const dogs = () => box.run('pgrep', ['-P', String(program.pid)]).stdout.trim()
  const first = await eventually('the watchdog', dogs, 30)
  process.kill(Number(first), 'SIGKILL')
  await eventually('another', () => dogs() !== '' && dogs() !== first, 30)
  program.child.kill('SIGSTOP')
  t.match(await program.ended, { signal: 'SIGKILL' })
})
