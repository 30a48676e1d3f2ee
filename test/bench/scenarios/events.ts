// Events that one maker makes tasks of, for two architectures: from the first touch until the last task is in `cur` and
// nothing is left of its record.

import { spawnSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { ROOT } from '../../fixtures/sandbox.ts'
import { text, tinyCode } from '../code.ts'
import { floor } from '../floor.ts'
import { Ground } from '../ground.ts'
import { rival, script } from '../rivals.ts'
import type { Scenario } from '../scenario.ts'

const ARCHS = ['testarch', 'otherarch']
const [QUICK, FULL] = [25, 50]
/** The outline is slow. */
const OUTLINE = 5
const REF = 'refs/heads/main'

export const eventsScenario: Scenario = {
  name: 'events',
  about: 'events made into tasks per second, one maker, 2 architectures, 10 kB of code',
  unit: '/s',
  better: 'more',
  goal: place => (place === 'tmpfs' ? { least: 300, aim: 600 } : { least: 200, aim: 300 }),
  places: ['tmpfs', 'ext4'],
  open: async stage => {
    const count = stage.quick ? QUICK : FULL
    const ours = new Ground(stage)
    ours.makeCode({ ...tinyCode(), '.bass/10-first': '#!/bin/sh\n:\n' })
    ours.initProject(ARCHS.join(' '))
    await ours.makers()
    return {
      contenders: [
        { name: 'BASS', round: () => makeTasks(ours, count) },
        floor(stage, 'events', program => {
          const ground = new Ground(stage)
          ground.makeSpool()
          return () => {
            const figure = Number(ground.ok(program, [ground.spool.root, String(count)]))
            clearAway(ground)
            return Promise.resolve(figure)
          }
        }),
        rival('outline in shell', ['inotifywait'], () => {
          const ground = new Ground(stage)
          ground.makeCode(tinyCode())
          ground.init()
          ground.git(ground.dir, 'clone', '-q', ground.code, 'steps')
          const env = {
            BASS_ROOT: ROOT,
            REVS: join(ground.spool.revs, 'hello'),
            PROJ: ground.bare,
            STEPS: ground.path('steps'),
            ARCHS: ARCHS.join(' '),
          }
          ground.ok('mkdir', ['-p', join(ground.spool.revs, 'hello', REF)])
          ground.start(script('outline-maker'), [], { env })
          return () => makeTasks(ground, OUTLINE)
        }),
      ],
    }
  },
}

async function makeTasks(ground: Ground, count: number): Promise<number> {
  const revisions = commits(ground, count)
  const [at, { cur }] = [join(ground.spool.revs, 'hello', REF), ground.spool.tasks]
  mkdirSync(at, { recursive: true })
  // One rename shows them all at once, where they are all new to whoever waits; a touch of the last wakes the outline.
  const began = performance.now()
  for (const revision of revisions) writeFileSync(join(at, revision), '')
  await ground.until(cur, ARCHS.length * count)
  await ground.emptied(at)
  const figure = (count / (performance.now() - began)) * 1000
  clearAway(ground)
  return figure
}

/** The next round finds a spool without tasks. */
function clearAway(ground: Ground): void {
  const { tmp, cur } = ground.spool.tasks
  const aside = join(tmp, '.aside')
  mkdirSync(aside)
  for (const name of ground.ls('spool/tasks/cur')) renameSync(join(cur, name), join(aside, name))
  rmSync(aside, { recursive: true })
}

/** Commits to the bare repository, each of another file, without a working tree. */
function commits(ground: Ground, count: number): string[] {
  const parent = ground.git(ground.bare, 'rev-parse', 'main')
  const blob = (content: string) => `data ${Buffer.byteLength(content)}\n${content}\n`
  const stream = Array.from({ length: count }, (_, i) => {
    const head = `commit refs/heads/main\nmark :${i + 1}\ncommitter Ada <ada@example.org> ${1_700_000_000 + i} +0000\n`
    const from = i === 0 ? `from ${parent}\n` : ''
    return `${head}${blob('a change')}${from}M 644 inline changed.txt\n${blob(text(`${parent} ${i}`, 1000))}`
  })
  const marks = ground.path('marks')
  const { status, stderr } = spawnSync('git', ['fast-import', '--quiet', `--export-marks=${marks}`], {
    cwd: ground.bare,
    env: ground.env,
    input: stream.join(''),
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`git fast-import: ${stderr}`)
  return ground.git(ground.bare, 'rev-list', '--reverse', `${parent}..main`).split('\n')
}
