import { chmodSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { Supervisor } from '../../../bin/setup/supervisor.ts'
import { eventually, Sandbox } from '../../fixtures/sandbox.ts'

type T = ConstructorParameters<typeof Sandbox>[0]

/** Supervises shell scripts, and remembers what they said. */
function supervise(t: T, scripts: Record<string, string>, grace = 10_000) {
  const sandbox = new Sandbox(t)
  const said: string[] = []
  const programs = Object.entries(scripts).map(([name, script]) => {
    const file = sandbox.path(`${name}.sh`)
    writeFileSync(file, `#!/bin/sh\n${script}\n`)
    chmodSync(file, 0o755)
    return { name, file, directory: sandbox.dir, env: { PATH: process.env['PATH'] } }
  })
  const supervisor = new Supervisor(programs, grace, (name, line) => said.push(`${name}: ${line}`))
  t.teardown(async () => {
    supervisor.stop()
    await supervisor.ended
  })
  return {
    sandbox,
    said,
    supervisor,
    programs,
    hears: (line: string) => eventually(line, () => said.includes(line)),
  }
}

test('each line of either stream is passed on with the name of who said it', async t => {
  const { supervisor, hears } = supervise(t, {
    a: 'echo out; echo err >&2; exec sleep 60',
    b: 'printf half; exit 100',
  })
  await hears('a: out')
  await hears('a: err')
  await hears('b: half')
  supervisor.stop()
  t.equal(await supervisor.ended, 0)
})

test('what ends is started again, after a wait that doubles', async t => {
  const { hears } = supervise(t, { a: 'kill -9 $$', b: 'exit 3' })
  await hears('a: ended by SIGKILL; started again in 1 s')
  await hears('b: ended with 3; started again in 1 s')
  await hears('b: ended with 3; started again in 2 s')
})

test('what ends with 100 is not started again; when all have, that is the end', async t => {
  const { supervisor, said } = supervise(t, { a: 'exit 100', b: 'exit 100' })
  t.equal(await supervisor.ended, 100)
  t.same(said.sort(), [
    'a: ended with 100, which will not mend itself: not started again',
    'b: ended with 100, which will not mend itself: not started again',
  ])
})

test('a program that is not there is tried again like any other', async t => {
  const said: string[] = []
  const program = { name: 'a', file: '/none', directory: '/', env: {} }
  const supervisor = new Supervisor([program], 1000, (_, line) => said.push(line))
  await eventually('a second try', () => said.some(line => line.endsWith('started again in 2 s')))
  supervisor.stop()
  t.equal(await supervisor.ended, 0)
})

test('told to stop, each gets one TERM and may finish, also with more time than a timer can wait', async t => {
  const script = 'trap "echo bye; exit 0" TERM; echo ready; while :; do sleep 0.1; done'
  const { supervisor, said, hears } = supervise(t, { a: script, b: script }, 30 * 24 * 3600_000)
  await hears('a: ready')
  await hears('b: ready')
  supervisor.stop()
  t.equal(await supervisor.ended, 0)
  t.same(said.filter(line => line.endsWith('bye')).sort(), ['a: bye', 'b: bye'])
})

test('what does not stop is killed when its time is over, and 111 tells', async t => {
  const { supervisor, hears } = supervise(
    t,
    { a: 'trap "" TERM; echo ready; while :; do sleep 0.1; done' },
    300,
  )
  await hears('a: ready')
  supervisor.stop()
  t.equal(await supervisor.ended, 111)
})

test('programs that are added are started, and those that are not wanted any more are stopped', async t => {
  const { supervisor, programs, hears, said } = supervise(t, {
    a: 'echo ready; exec sleep 60',
    b: 'trap "echo bye; exit 0" TERM; echo ready; while :; do sleep 0.1; done',
  })
  const [a, b] = programs
  await hears('b: ready')
  await hears('a: ready')
  supervisor.follow([a!, { ...a!, name: 'c' }])
  await hears('b: not wanted any more')
  await hears('b: bye')
  await hears('c: ready')
  t.equal(said.filter(line => line === 'a: ready').length, 1, 'what is the same goes on')
  supervisor.follow([a!, b!])
  await eventually('a second start', () => said.filter(line => line === 'b: ready').length === 2)
  supervisor.stop()
  t.equal(await supervisor.ended, 0)
})

test('a program whose state is another one ends where it can be spared, and is started anew at once', async t => {
  const { supervisor, programs, hears, said } = supervise(t, {
    a: 'trap "sleep 0.3; echo spared; exit 0" HUP; echo "$WORD"; while :; do sleep 0.1; done',
    b: 'echo "$WORD"; [ "$WORD" = two ] || exit 100; exec sleep 60',
  })
  const state = (word: string) =>
    programs.map(program => ({ ...program, state: word, env: { ...program.env, WORD: word } }))
  // From then on it hears HUP.
  await hears('a: ')
  supervisor.follow(state('one'))
  await hears('a: one')
  await hears('b: ended with 100, which will not mend itself: not started again')
  supervisor.follow(state('two'))
  await hears('a: spared')
  await hears('a: ended with 0; started again with other settings')
  await hears('a: two')
  await hears('b: two')
  supervisor.follow(state('two'))
  supervisor.stop()
  t.equal(await supervisor.ended, 0)
  const spared = said.filter(line => line === 'a: spared').length
  t.equal(spared, 2, 'once for each state, and the same one asks for nothing')
})

test('what has ended with 100 is tried again at any change of the settings', async t => {
  // As a notifier that reads the settings of all projects, of which its own state says nothing.
  const { sandbox, supervisor, programs, hears } = supervise(t, {
    a: '[ -e key ] || exit 100; echo told; exec sleep 60',
    b: 'echo b; exec sleep 60',
  })
  await hears('a: ended with 100, which will not mend itself: not started again')
  writeFileSync(sandbox.path('key'), '')
  supervisor.follow(programs)
  await hears('a: told')
})
