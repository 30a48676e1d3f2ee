// Kill -9 of everything, all programs and all steps, again and again, at random moments while tasks are made and run.

import fc from 'fast-check'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { inspect } from '../crash/invariants.ts'
import { eventually, Sandbox } from '../fixtures/sandbox.ts'

const [COMMITS, KILLS] = [250, 20]
const TARGETS = ['testarch', 'testarch:testhost']

/** Commits that each change a file, with a step that says in a directory beside the spool that it ran. */
function makeHistory(site: Sandbox): string[] {
  const step = `#!/bin/sh\necho ran >>'${site.path('ledger')}/'"$BASS_TASK"\n`
  const data = (text: string) => `data ${Buffer.byteLength(text)}\n${text}\n`
  const commits = Array.from({ length: COMMITS }, (_, n) =>
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

/** All processes that belong to the site, whoever started them. */
function processesOf(site: Sandbox): number[] {
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
}

function killAll(site: Sandbox): void {
  for (let left = processesOf(site); left.length > 0; left = processesOf(site)) {
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

test(
  `everything is killed ${KILLS} times during ${COMMITS * TARGETS.length} tasks, and each has one verdict that stands`,
  { timeout: 300_000 },
  async t => {
    const seed = Number(process.env['BASS_SEED'] ?? Date.now() % 2 ** 31)
    t.comment(`BASS_SEED=${seed}`)
    const site = new Sandbox(t)
    site.makeSpool()
    mkdirSync(site.path('ledger'))
    const revisions = makeHistory(site)
    const all = COMMITS * TARGETS.length
    const env = {
      PROJECT: 'hello',
      PROJ: site.path('code'),
      ARCHS: TARGETS.join(' '),
      COMPRESSOR: 'cat',
      LOST_AFTER: '5',
      LOST_TRIES: '100',
      SETTLE: '0',
      SWEEP_AFTER: '2',
    }
    const startAll = () => {
      site.start('master/bin/task-maker', [], { env })
      site.start('master/bin/reaper', [], { env })
      for (const slot of ['slot-1', 'slot-2']) {
        mkdirSync(site.path(slot), { recursive: true })
        site.start('slave/bin/task-taker', [], { cwd: site.path(slot), env })
      }
    }
    const heads = join(site.spool.revs, 'hello/heads/main')
    mkdirSync(heads, { recursive: true })
    site.ok('touch', revisions, { cwd: heads })

    // How many jobs are to be over before each kill, and how long after that it comes.
    const moments = fc.sample(fc.tuple(fc.nat(all - 1), fc.nat(400)), { numRuns: KILLS, seed })
    for (const [over, delay] of moments.sort(([a], [b]) => a - b)) {
      startAll()
      await eventually(`${over} jobs`, () => site.ls('ledger').length >= over, 120)
      await new Promise(done => setTimeout(done, delay))
      killAll(site)
    }
    startAll()
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
  },
)
