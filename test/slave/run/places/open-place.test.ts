import { chmodSync, openSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import type { Fatal } from '../../../../lib/base/exit.ts'
import { MachineFault } from '../../../../slave/run/places/machine-fault.ts'
import { openPlace, prepareIsolation } from '../../../../slave/run/places/open-place.ts'
import { Pools } from '../../../../slave/run/places/pools.ts'
import { lacks, Sandbox } from '../../../fixtures/sandbox.ts'

const REAL = process.env['PATH']!

/** A machine on which `unshare` fails with certain words for a while. */
class Machine extends Sandbox {
  readonly pools = new Pools()

  constructor(t: ConstructorParameters<typeof Sandbox>[0]) {
    super(t)
    const why = this.path('why')
    const script = `#!/bin/sh\nif [ -e '${why}' ]; then cat '${why}' >&2; exit 1; fi\nPATH='${REAL}' exec unshare "$@"\n`
    writeFileSync(this.path('unshare'), script)
    chmodSync(this.path('unshare'), 0o755)
    process.env['PATH'] = `${this.dir}:${REAL}`
    t.teardown(() => {
      process.env['PATH'] = REAL
    })
  }

  fail(why: string): void {
    writeFileSync(this.path('why'), `unshare: ${why}\n`)
  }

  mend(): void {
    rmSync(this.path('why'))
  }

  /** Runs a step of a new job; true if that was in a namespace. It is left dirty, so that the next one needs another. */
  async isIsolated(isolate: 'auto' | 'pid'): Promise<boolean> {
    const place = await openPlace({ isolate, work: this.dir }, this.pools)
    const [stdout, stderr] = ['out', 'err'].map(name => openSync(this.path(name), 'w')) as [number, number]
    const command = ['sh', '-c', 'readlink /proc/self/ns/pid; sleep 60 >/dev/null 2>&1 &']
    const step = await place.start({ command, directory: this.dir, env: { PATH: REAL }, stdout, stderr })
    await step.ended
    await step.leave()
    await place.close()
    return readFileSync(this.path('out'), 'utf8').trim() !== readlinkSync('/proc/self/ns/pid')
  }
}

const isFault = (start: Promise<unknown>) =>
  start.then(
    () => false,
    (error: unknown) => error instanceof MachineFault,
  )

const exitCode = (start: Promise<void>) =>
  start.then(
    () => 0,
    (error: unknown) => (error as Fatal).exitCode,
  )

const IMPOSSIBLE = 'unshare failed: Operation not permitted'
const PASSING = 'fork failed: Resource temporarily unavailable'
const skip = lacks('unshare')

for (const isolate of ['auto', 'pid'] as const) {
  test(
    `ISOLATE=${isolate}: a fault that passes makes no step run with less, then or later`,
    { skip },
    async t => {
      const machine = new Machine(t)
      await prepareIsolation(isolate, machine.pools)
      t.equal(await machine.isIsolated(isolate), true)
      for (const why of [PASSING, IMPOSSIBLE]) {
        machine.fail(why)
        t.ok(await isFault(machine.isIsolated(isolate)))
        machine.mend()
        t.equal(await machine.isIsolated(isolate), true)
      }
    },
  )
}

test(
  'ISOLATE=auto: where no namespace can be made there is none, and each job tries again',
  { skip },
  async t => {
    const machine = new Machine(t)
    machine.fail(IMPOSSIBLE)
    await prepareIsolation('auto', machine.pools)
    t.equal(await machine.isIsolated('auto'), false)
    machine.fail(PASSING)
    t.ok(await isFault(machine.isIsolated('auto')), 'a machine that is short of something waits')
    machine.mend()
    t.equal(await machine.isIsolated('auto'), true)
  },
)

test(
  'a start without what ISOLATE=pid demands is refused, and tried again where that may pass',
  { skip },
  async t => {
    const machine = new Machine(t)
    machine.fail(IMPOSSIBLE)
    t.equal(await exitCode(prepareIsolation('pid', machine.pools)), 100)
    machine.fail(PASSING)
    t.equal(await exitCode(prepareIsolation('pid', machine.pools)), 111)
    t.equal(await exitCode(prepareIsolation('auto', machine.pools)), 111)
  },
)
