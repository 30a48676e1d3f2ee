import { test } from 'tap'

import { readBoard } from '../../../lib/view/board.ts'
import { placesInQueue, tellWait } from '../../../lib/view/why-waiting.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'
import { SpoolMaker } from '../../fixtures/spool-maker.ts'

const MINUTE = 60_000

function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const spool = new Sandbox(t).makeSpool()
  const why = () => readBoard(spool, MINUTE).tasks.find(task => task.wait)?.wait
  return { maker: new SpoolMaker(spool), why, board: () => readBoard(spool, MINUTE) }
}

test('a task no taker is there for, says so', async t => {
  const { maker, why } = make(t)
  maker.waitingTask('1:p:v:sparc')
  maker.taker({ arch: 'linux-x86_64' })
  t.same(why(), { reason: 'unseen', text: 'no taker for sparc has been seen', place: 1 })
})

test('a task for a host that has no taker, names the host', async t => {
  const { maker, why } = make(t)
  maker.waitingTask('1:p:v:linux-x86_64:h2')
  maker.taker({ host: 'h1' })
  t.equal(why()?.text, 'no taker for linux-x86_64 on h2 has been seen')
})

test('a taker that was stopped or fell silent takes nothing', async t => {
  const { maker, why, board } = make(t)
  maker.waitingTask('1:p:v:linux-x86_64')
  maker.taker({ slot: '/0', beat: null })
  t.match(why(), { reason: 'gone', text: 'no taker for linux-x86_64 is running' })
  maker.taker({ slot: '/1', beat: Date.now() - 3 * 3600_000 })
  t.match(why(), { reason: 'gone', text: /is alive, the last beat was 3 h ago/ })
  t.same(
    board().takers.map(taker => taker.state),
    ['stopped', 'silent'],
  )
})

test('a task waits while all takers for it are busy, in its place', async t => {
  const { maker, board } = make(t)
  maker.taker()
  maker.runningJob('1:p:v:linux-x86_64')
  maker.waitingTask('2:p:v:linux-x86_64')
  maker.waitingTask('3:p:v:sparc')
  maker.waitingTask('4:p:v:linux-x86_64')
  const [, second, , fourth] = board().tasks
  t.same(second!.wait, {
    reason: 'busy',
    text: 'the one taker for linux-x86_64 is busy',
    place: 1,
  })
  t.same(fourth!.wait, {
    reason: 'busy',
    text: 'the one taker for linux-x86_64 is busy',
    place: 2,
  })
  t.equal(tellWait(fourth!.wait!), 'the one taker for linux-x86_64 is busy; 1 is queued before it')
  t.match(board().takers, [{ state: 'busy', task: '1:p:v:linux-x86_64' }])
})

test('a pause of its project, its host or everything is why a task waits', async t => {
  for (const what of ['all', 'project:p', 'host:h1']) {
    const { maker, why } = make(t)
    maker.taker()
    maker.waitingTask('1:p:v:linux-x86_64')
    t.equal(why()?.reason, 'free')
    maker.pause(what)
    t.equal(why()?.reason, 'paused', what)
  }
})

test('a task for one host stands behind those for any host, and not behind those for another', t => {
  const tasks = [
    { num: 1, host: null },
    { num: 2, host: 'a' },
    { num: 3, host: 'b' },
    { num: 4, host: 'a' },
    { num: 5, host: null },
    { num: 6, host: null },
    { num: 7, host: null, arch: 'other' },
    { num: 8, host: null, state: 'running' as const },
  ].map(task => ({
    name: `${task.num}`,
    project: 'p',
    arch: 'x',
    state: 'waiting' as const,
    cancelling: false,
    ...task,
  }))
  t.same([...placesInQueue(tasks)].sort(), [
    ['1', 1],
    ['2', 2],
    ['3', 2],
    ['4', 3],
    ['5', 5],
    ['6', 6],
    ['7', 1],
  ])
  t.end()
})
