import { mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { tolerating } from '../../../lib/base/errno.ts'
import { startHeartbeat } from '../../../slave/sources/heartbeat.ts'
import { eventually, Sandbox } from '../../fixtures/sandbox.ts'

type T = ConstructorParameters<typeof Sandbox>[0]

/** The heart of a job, and what it has said. */
function begin(t: T) {
  const sandbox = new Sandbox(t)
  const [job, task] = ['job', 'task'].map(name => sandbox.path(name)) as [string, string]
  mkdirSync(job)
  mkdirSync(task)
  const alive = join(job, 'alive')
  writeFileSync(alive, '')
  const words: string[] = []
  const heart = startHeartbeat(job, task, 200, word => words.push(word))
  t.teardown(() => heart.stop())
  const beat = () => tolerating(['ENOENT'], () => statSync(alive, { bigint: true }).mtimeNs)
  const another = async () => {
    const before = beat()
    await eventually('a beat', () => ![before, undefined].includes(beat()))
  }
  return { job, task, alive, heart, words, another }
}

/** Whether this process has the file open. */
const isOpen = (path: string) =>
  readdirSync('/proc/self/fd').some(
    fd => tolerating(['ENOENT'], () => readlinkSync(`/proc/self/fd/${fd}`)) === path,
  )

test('a heart beats with a file that it holds open, and lets it go in the end', async t => {
  const { alive, heart, words, another } = begin(t)
  await another()
  await another()
  t.ok(isOpen(alive))
  heart.stop()
  await eventually('a file that is closed', () => !isOpen(alive))
  t.same(words, [])
})

test('a sign of life that somebody removes is made again', async t => {
  const { alive, words, another } = begin(t)
  await another()
  rmSync(alive)
  await another()
  await another()
  t.same(words, [])
})

test('it says that somebody wants the job to end, or has ended it', async t => {
  type Begun = ReturnType<typeof begin>
  const table: [string, string, (begun: Begun) => void][] = [
    ['a wish', 'cancelled', ({ task }) => writeFileSync(join(task, 'cancel'), '')],
    ['a verdict', 'lost', ({ job }) => writeFileSync(join(job, 'result.txt'), 'lost\n')],
    ['an archive', 'lost', ({ job }) => renameSync(job, `${job}.old`)],
    ['an end', 'lost', ({ job }) => rmSync(job, { recursive: true })],
  ]
  for (const [what, word, act] of table) {
    const begun = begin(t)
    await begun.another()
    act(begun)
    t.equal(await eventually(what, () => begun.words[0]), word, what)
    begun.heart.stop()
  }
})
