// How long small commands take from start to end, beside a bare node.

import { spawnSync } from 'node:child_process'
import { basename, join } from 'node:path'
import { mkdirSync, rmSync } from 'node:fs'

import { ROOT } from '../../fixtures/sandbox.ts'
import { tinyCode } from '../code.ts'
import { Ground } from '../ground.ts'
import type { Contender, Scenario } from '../scenario.ts'

const NODE = 'node -e 0'

export const startScenarios: readonly Scenario[] = [
  starting('master/bin/version-for-git', 'version', () => [[], {}], { least: 1.4, aim: 1.1 }),
  starting('master/bin/clone-with-ctr', 'clone', ground => {
    // In tasks/tmp, as it is used; what it made is in the way of nobody.
    mkdirSync(join(ground.spool.tasks.tmp, ':hello:v1:'), { recursive: true })
    return [[':hello:v1:', ':hello:v1:testarch'], { cwd: ground.spool.tasks.tmp }]
  }),
  starting('bin/git-jci', 'jci', () => [['version'], {}], { least: 1.3, aim: 1.15 }),
]

function starting(
  program: string,
  name: string,
  prepare: (ground: Ground) => [args: string[], options: { cwd?: string }],
  goal = { least: 1.4, aim: 1.2 },
): Scenario {
  return {
    name: `start-${name}`,
    about: `\`${basename(program)}\` from start to end, over a bare \`${NODE}\``,
    unit: 'ms',
    better: 'less',
    goal: { ...goal, of: NODE },
    places: ['tmpfs'],
    rounds: { quick: 20, full: 40 },
    open: stage => {
      const ground = new Ground(stage)
      ground.makeCode(tinyCode())
      ground.makeSpool()
      const [args, options] = prepare(ground)
      const time = (name: string, program: string, args: string[], cwd: string): Contender => ({
        name,
        round: () => {
          const began = performance.now()
          const { status, error, stderr } = spawnSync(program, args, {
            cwd,
            env: ground.env,
            encoding: 'utf8',
          })
          const took = performance.now() - began
          if (status !== 0) throw error ?? new Error(`${program}: ${stderr}`)
          return Promise.resolve(took)
        },
      })
      const cwd = options.cwd ?? ground.code
      return Promise.resolve({
        contenders: [time('BASS', join(ROOT, program), args, cwd), time(NODE, 'node', ['-e', '0'], cwd)],
        before: () => {
          for (const name of ground.ls('spool/tasks/tmp').filter(name => /^\d/.test(name)))
            rmSync(join(ground.spool.tasks.tmp, name), { recursive: true })
        },
      })
    },
  }
}
