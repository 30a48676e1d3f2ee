// Kill -9 of everything, all programs and all steps, again and again, at random moments while tasks are made and run; and the
// same where a clock is wrong and the disk has no room meanwhile.

import fc from 'fast-check'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import type { Test } from 'tap'

import { inspect } from '../crash/invariants.ts'
import { clockOff, lacksFaketime, removeFaketime } from '../fixtures/faketime.ts'
import { eventually, Sandbox } from '../fixtures/sandbox.ts'
import { lacksTinyDisk, TinyDisk } from '../fixtures/tiny-disk.ts'

const TARGETS = ['testarch', 'testarch:testhost']

/** Commits that each change a file, with a step that says in a directory beside the spool that it ran. */
function makeHistory(site: Sandbox, length: number): string[] {
  const step = `#!/bin/sh\necho ran >>'${site.path('ledger')}/'"$BASS_TASK"\n`
  const data = (text: string) => `data ${Buffer.byteLength(text)}\n${text}\n`
  const commits = Array.from({ length }, (_, n) =>
    [
      `commit refs/heads/main\ncommitter Ada <ada@example.org> ${1_600_000_000 + n} +0000\n${data(`${n}`)}`,
      n === 0 ? `M 100755 inline .bass/10-run\n${data(step)}` : '',
      `M 100644 inline file\n${data(`${n}`)}`,
    ].join(''),
  )
  site.git('.', 'init', '-q', 'code')
  site.ok('git', ['fast-import', '--quiet'], { cwd: site.path('code'), input: commits.join('') })
  return site.git('code', 'rev-list', '--reverse', 'main').split('\n')
}

/** All processes that belong to the site, whoever started them, but for what keeps its disk. */
function processesOf(site: Sandbox, disk?: TinyDisk): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => {
      try {
        return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(site.dir)
      } catch {
        return false
      }
    })
    .map(Number)
    .filter(pid => pid !== disk?.keeper)
}

function killAll(site: Sandbox, disk?: TinyDisk): void {
  for (let left = processesOf(site, disk); left.length > 0; left = processesOf(site, disk)) {
    // First all are stopped: a taker that outlives its step by a moment would blame the step.
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const) {
      for (const pid of left) {
        try {
          process.kill(pid, signal)
        } catch {
          // It has ended meanwhile.
        }
      }
    }
  }
}

interface Ordeal {
  readonly commits: number
  readonly kills: number
  /** For the programs, besides what all have. */
  readonly env?: NodeJS.ProcessEnv
  /** Their clocks in each life, as libfaketime has them; in the last life they are right. */
  readonly clocks?: readonly string[]
}

/** Makes and runs tasks while everything is killed, after each of so many lives; then all must be as if nothing had been. */
async function survive(t: Test, ordeal: Ordeal, site: Sandbox, disk?: TinyDisk): Promise<void> {
  const seed = Number(process.env['BASS_SEED'] ?? Date.now() % 2 ** 31)
  t.comment(`BASS_SEED=${seed}`)
  site.makeSpool()
  mkdirSync(site.path('ledger'))
  const revisions = makeHistory(site, ordeal.commits)
  const all = ordeal.commits * TARGETS.length
  const heads = join(site.spool.revs, 'hello/heads/main')
  mkdirSync(heads, { recursive: true })
  site.ok('touch', revisions, { cwd: heads })

  // How many jobs are to be over before each kill, and how long after that it comes.
  const moments = fc.sample(fc.tuple(fc.nat(all - 1), fc.nat(400)), { numRuns: ordeal.kills, seed })
  for (const [life, [over, delay]] of moments.sort(([a], [b]) => a - b).entries()) {
    startAll(site, ordeal, life)
    await eventually(`${over} jobs`, () => site.ls('ledger').length >= over, 120)
    await sleep(delay)
    if (life % 2 === 1) disk?.fill()
    if (life % 4 === 1) await sleep(1500)
    killAll(site, disk)
    if (life % 2 === 1) disk?.makeRoom()
  }
  startAll(site, ordeal, NaN)
  const findings = () =>
    inspect(site.spool.root, {
      work: revisions.flatMap(revision => TARGETS.map(target => `${revision} ${target}`)),
      verdict: 'success',
    })
  await eventually('the last verdict', () => site.ls('spool/tasks/old').length >= all, 120)
  await eventually('rest', () => Object.values(findings()).flat().length === 0, 60).catch(() => undefined)
  t.same(findings(), { lost: [], doubled: [], left: [] })
  const twice = site.ls('ledger').filter(name => readFileSync(site.path('ledger', name)).length > 4)
  t.same(twice, [], 'no name ran twice')
}

function startAll(site: Sandbox, { env, clocks = [] }: Ordeal, life: number): void {
  const common = {
    PROJECT: 'hello',
    PROJ: site.path('code'),
    ARCHS: TARGETS.join(' '),
    COMPRESSOR: 'cat',
    LOST_AFTER: '5',
    LOST_TRIES: '100',
    SETTLE: '0',
    SWEEP_AFTER: '2',
    ...env,
  }
  // Each program has the clock of another machine.
  const on = (machine: number) => {
    const clock = clocks[(life + machine) % clocks.length]
    return clock === undefined ? common : { ...common, ...clockOff(clock) }
  }
  site.start('master/bin/task-maker', [], { env: on(0) })
  site.start('master/bin/reaper', [], { env: on(1) })
  for (const [n, slot] of ['slot-1', 'slot-2'].entries()) {
    mkdirSync(site.path(slot), { recursive: true })
    site.start('slave/bin/task-taker', [], { cwd: site.path(slot), env: on(2 + n) })
  }
}

const sleep = (milliseconds: number) => new Promise<void>(done => setTimeout(done, milliseconds))

const [COMMITS, KILLS] = [250, 20]

test(
  `everything is killed ${KILLS} times during ${COMMITS * TARGETS.length} tasks, and each has one verdict that stands`,
  { timeout: 300_000 },
  async t => survive(t, { commits: COMMITS, kills: KILLS }, new Sandbox(t)),
)

test(
  'the same where each clock is an hour off, and the disk is full when everything is killed',
  { timeout: 300_000, skip: lacksTinyDisk() || lacksFaketime() },
  async t => {
    const site = new Sandbox(t)
    t.teardown(removeFaketime)
    const disk = await TinyDisk.instead(site, site.spool.root, 64)
    // In a pid namespace of its own a step would not find the /proc that leads to the disk.
    const env = { ISOLATE: 'no', DISK_MIN: '0' }
    await survive(t, { commits: 60, kills: 8, env, clocks: ['+1h', '-1h', '+0'] }, site, disk)
  },
)
