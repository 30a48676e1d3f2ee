import { spawn } from 'node:child_process'
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { hold } from '../../../slave/sources/holder.ts'
import { eventually, ROOT, Sandbox } from '../../fixtures/sandbox.ts'

function slot(t: ConstructorParameters<typeof Sandbox>[0]) {
  const box = new Sandbox(t)
  for (const name of ['slot', 'tmp']) mkdirSync(box.path(name))
  const living = new Set<string>()
  /** Takes the slot for `who`; `before` happens between its look and its taking. */
  const take = (who: string, before: () => void = () => undefined) => {
    let first = true
    const isAlive = (other: string) => {
      if (first) before()
      first = false
      return living.has(other)
    }
    const other = hold(box.path('slot'), who, isAlive, box.path('tmp'))
    if (other === undefined) living.add(who)
    return other
  }
  return { box, living, take }
}

test('a slot is taken once, and again when who had it is gone', t => {
  const { box, living, take } = slot(t)
  t.equal(take('a'), undefined)
  t.equal(take('b'), 'a')
  living.delete('a')
  t.equal(take('b'), undefined)
  t.strictSame(readdirSync(box.path('slot')), ['holder.2'])
  t.strictSame(readdirSync(box.path('tmp')), [])
  t.end()
})

test('of two that look at one moment and find nobody, the one that comes second is refused', t => {
  const { take } = slot(t)
  const other = take('a', () => t.equal(take('b'), undefined))
  t.equal(other, 'b')
  t.end()
})

test('whoever looked before others came and went takes no name that was used up', t => {
  const { box, living, take } = slot(t)
  const other = take('a', () => {
    take('b')
    living.delete('b')
    take('c')
  })
  t.equal(other, 'c')
  t.strictSame(readdirSync(box.path('slot')), ['holder.2'])
  t.end()
})

test('of many processes that start at once one has the slot, and the others know which', async t => {
  const { box } = slot(t)
  const script = `
    const { hold } = require(process.argv[1])
    const { existsSync } = require('node:fs')
    const isAlive = pid => pid !== '' && existsSync('/proc/' + pid)
    process.stdout.write('ready\\n')
    process.stdin.once('data', () => {
      process.stdout.write(hold('slot', String(process.pid), isAlive, 'tmp') ?? 'mine')
    }).resume()`
  const module = join(ROOT, 'dist/slave/sources/holder.js')
  const children = Array.from({ length: 4 }, () => {
    const child = spawn(process.execPath, ['-e', script, module], { cwd: box.dir, env: box.env })
    t.teardown(() => child.kill('SIGKILL'))
    const words = { child, said: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (words.said += text))
    return words
  })
  await eventually('all are ready', () => children.every(({ said }) => said === 'ready\n'))
  // They stay until all have answered: who has the slot is alive.
  for (const { child } of children) child.stdin.write('go')
  await eventually('all have answered', () => children.every(({ said }) => said.length > 'ready\n'.length))
  const answers = children.map(({ child, said }) => ({ pid: String(child.pid), said: said.slice(6) }))
  const holders = answers.filter(({ said }) => said === 'mine')
  t.equal(holders.length, 1)
  for (const { said } of answers.filter(({ said }) => said !== 'mine')) t.equal(said, holders[0]!.pid)
})
