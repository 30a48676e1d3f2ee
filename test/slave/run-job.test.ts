// One job from its assignment to its end, of a source of work that is a directory and remembers what it was told.

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { BundleError } from '../../lib/bundle/bundle.ts'
import { lasting } from '../../lib/base/exit.ts'
import type { Verdict } from '../../lib/spool/job.ts'
import type { Cause } from '../../lib/spool/retry.ts'
import { parseTaskName } from '../../lib/spool/task-name.ts'
import type { TaskFacts } from '../../slave/run/facts.ts'
import { MachineFault } from '../../slave/run/places/machine-fault.ts'
import { Pools } from '../../slave/run/places/pools.ts'
import type { Outcome } from '../../slave/run/plan.ts'
import { runJob } from '../../slave/run-job.ts'
import type { Assignment } from '../../slave/sources/assignment.ts'
import { Health } from '../../slave/sources/health.ts'
import { eventually, Sandbox } from '../fixtures/sandbox.ts'
import { slaveSettings } from '../fixtures/slave-settings.ts'
import { settingsOf } from '../fixtures/steps.ts'

type T = ConstructorParameters<typeof Sandbox>[0]

/** An assignment of one step, and what became of it. */
class Given implements Assignment {
  readonly task = parseTaskName('1:hello:v1:testarch')!
  readonly job: string
  readonly work: string
  readonly concluded: (Outcome & { cause: Cause })[] = []
  readonly stored: Verdict[] = []
  discarded = 0
  beats = 0
  word: ((word: 'cancelled' | 'lost') => void) | undefined
  /** The verdict that stands, if another's does. */
  standing: Verdict | undefined
  limits: Record<string, string> = {}
  unpackFails: Error | undefined
  isCancelled = false
  readonly #box: Sandbox
  readonly #script: string

  constructor(box: Sandbox, script: string) {
    this.#box = box
    this.#script = script
    this.job = box.path('job')
    this.work = box.path('work')
    mkdirSync(this.job)
  }

  beat(onWord: (word: 'cancelled' | 'lost') => void) {
    this.beats++
    this.word = onWord
    const stop = () => {
      this.beats--
    }
    return { stop }
  }

  begin(): boolean {
    if (!this.isCancelled) mkdirSync(this.work)
    return !this.isCancelled
  }

  unpack(): Promise<TaskFacts> {
    if (this.unpackFails !== undefined) return Promise.reject(this.unpackFails)
    for (const name of ['code', 'steps', 'cache']) mkdirSync(join(this.work, name))
    const step = join(this.work, 'steps', 'a')
    writeFileSync(step, `#!/bin/sh\n${this.#script}\n`)
    chmodSync(step, 0o755)
    const { task, work, limits } = this
    const cache = join(work, 'cache')
    return Promise.resolve({ task, host: 'testhost', revision: '', ref: '', params: {}, work, cache, limits })
  }

  store(verdict: Verdict): Promise<void> {
    this.stored.push(verdict)
    return Promise.resolve()
  }

  conclude(outcome: Outcome, cause: Cause): Promise<Verdict> {
    this.concluded.push({ ...outcome, cause })
    return Promise.resolve(this.standing ?? outcome.verdict)
  }

  discard(): Promise<void> {
    this.discarded++
    return Promise.resolve()
  }

  ls(...parts: string[]): string[] {
    return this.#box.ls('job', ...parts)
  }
}

function make(t: T, script: string) {
  const box = new Sandbox(t)
  mkdirSync(box.path('slot'))
  const health = new Health({ slot: box.path('slot') }, slaveSettings(box), () => undefined)
  const machine = { pools: new Pools(), health, host: 'testhost', env: settingsOf() }
  const given = new Given(box, script)
  const drain = new AbortController()
  return { box, given, drain, run: () => runJob(given, machine, drain.signal) }
}

test('a success is stored, concluded and cleaned up, and nobody beats for it any more', async t => {
  const { box, given, run } = make(t, 'echo hello')
  t.equal(await run(), 'success')
  t.match(given, { stored: ['success'], concluded: [{ verdict: 'success' }], discarded: 1, beats: 0 })
  t.match(box.ok('cat', [join(given.job, 'steps/a/stdout.txt')]), 'hello')
  t.equal(
    box.ok('cat', [join(given.job, 'host.txt'), join(given.job, 'tmp-path.txt')]),
    `testhost\n${given.work}`,
  )
})

test('the temporary directory of a failure is kept', async t => {
  const { given, run } = make(t, 'exit 3')
  t.equal(await run(), 'failure')
  t.match(given, {
    stored: ['failure'],
    concluded: [{ step: 'a', why: "step 'a' exited with 3" }],
    discarded: 0,
  })
})

test('the limits of the project stand before those of the slave', async t => {
  const { given, run } = make(t, 'sleep 60')
  given.limits = { STEP_TIMEOUT: '0.2' }
  t.equal(await run(), 'timeout')
  t.match(given.concluded, [{ why: /STEP_TIMEOUT/ }])
})

test('a job that was cancelled before it began makes nothing', async t => {
  const { given, run } = make(t, 'true')
  given.isCancelled = true
  t.equal(await run(), 'cancelled')
  t.same(given.ls(), [])
  t.same(given.stored, [])
})

test('a word from its source, or the end of the slave, ends a job early', async t => {
  const cases = [
    ['cancelled', 'cancelled', 'lost', 0],
    ['lost', 'lost', 'lost', 1],
    ['drain', 'lost', 'drain', 1],
  ] as const
  for (const [word, verdict, cause, discarded] of cases) {
    await t.test(word, async t => {
      const { given, drain, run } = make(t, 'sleep 60')
      const running = run()
      await eventually(
        'the step',
        () => given.ls().includes('steps') && given.ls('steps/a').includes('started'),
      )
      if (word === 'drain') drain.abort()
      else given.word!(word)
      t.equal(await running, verdict)
      t.match(given, { concluded: [{ verdict, cause }], discarded, beats: 0 })
    })
  }
})

test('the verdict that stands is returned, and a job that others have lost is cleaned up', async t => {
  const { given, run } = make(t, 'exit 1')
  given.standing = 'lost'
  t.equal(await run(), 'lost')
  t.equal(given.discarded, 1)
})

test('a bundle or a task that is at fault is an error; a system that fails is a loss, and its own fault if it is sick', async t => {
  const cases: [Error, Outcome['verdict'], Cause, RegExp][] = [
    [new BundleError('it is truncated'), 'error', 'lost', /^the job could not be set up: it is truncated$/],
    [lasting('clone it', 'no such repository'), 'error', 'lost', /no such repository/],
    [new Error('the cable is out'), 'lost', 'lost', /^the slave on testhost failed: the cable is out$/],
    [
      new MachineFault('make a room', 'no memory'),
      'lost',
      'fault',
      /^the slave on testhost failed: .*no memory/,
    ],
  ]
  for (const [error, verdict, cause, why] of cases) {
    await t.test(String(why), async t => {
      const { given, run } = make(t, 'true')
      given.unpackFails = error
      t.equal(await run(), verdict)
      t.match(given.concluded, [{ verdict, cause, why }])
      t.same(given.stored, [])
    })
  }
})
