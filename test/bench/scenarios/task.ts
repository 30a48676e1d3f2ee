// From the rename of a task into `tasks/cur` to the first line of its step.

import { spawn } from 'node:child_process'

import { floor, groundOfFloor } from '../floor.ts'
import { Ground } from '../ground.ts'
import { LAMINAR, rival, startLaminar } from '../rivals.ts'
import type { Scenario, Stage } from '../scenario.ts'
import { SCRIPT_THAT_RINGS, stepThatRings } from './push.ts'

const STEP = '10-first'

export const layTaskThatRings = (ground: Ground): string =>
  ground.layTask({ [STEP]: stepThatRings(ground.bell.path) })

/** From the rename of a task, whose step rings, until the log holds its line. Waits until the job is over. */
export async function publishAndSee(ground: Ground, template: string): Promise<number> {
  const before = ground.ls('spool/tasks/old').length
  const { publish } = ground.makeTasks(template, 1)
  const began = performance.now()
  publish()
  const { line: task } = await ground.bell.next()
  const seen = await ground.logged(task, STEP)
  await ground.until(ground.spool.tasks.old, before + 1)
  return seen - began
}

/** So many tasks make a taker that has just been started what it is in service. */
const SERVED = 80

/** A taker, and a task for it to be published as often as one likes. */
async function standUpTaker(stage: Stage, served: number): Promise<() => Promise<number>> {
  const ground = new Ground(stage)
  ground.init()
  const template = layTaskThatRings(ground)
  await ground.takers(1)
  const round = () => publishAndSee(ground, template)
  for (let i = 0; i < served; i++) await round()
  return round
}

export const taskScenario: Scenario = {
  name: 'task',
  about: 'task renamed into `cur` to the first line of its step',
  unit: 'ms',
  better: 'less',
  goal: { least: 1.3, aim: 0.9, of: 'nq' },
  places: ['tmpfs', 'ext4'],
  rounds: { quick: 10, full: 40 },
  open: async stage => {
    const ours = await standUpTaker(stage, SERVED)
    const fresh = await standUpTaker(stage, 0)
    const ground = new Ground(stage)
    const job = ['sh', '-c', SCRIPT_THAT_RINGS, ground.bell.path] as const
    const round =
      ([program, ...args]: readonly [string, ...string[]]) =>
      async () => {
        const began = performance.now()
        spawn(program, args, { cwd: ground.dir, env: { ...ground.env, ...ground.queues }, stdio: 'ignore' })
        const { at } = await ground.bell.next()
        // Whoever runs it may have something to do behind it.
        await new Promise(done => setTimeout(done, 20))
        return at - began
      }
    return {
      contenders: [
        { name: 'BASS', round: ours },
        { name: 'BASS, just started', round: fresh },
        floor(stage, 'taker', program => {
          const other = groundOfFloor(stage, program, 1)
          const plain = layTaskThatRings(other)
          return () => publishAndSee(other, plain)
        }),
        rival('fork and exec', [], () => round(job)),
        rival('nq', ['nq'], () => round(['nq', '-q', ...job])),
        rival('task-spooler', ['tsp'], () => round(['tsp', ...job])),
        rival('Laminar', LAMINAR, () => {
          startLaminar(ground, { ring: `exec sh -c '${SCRIPT_THAT_RINGS}' '${ground.bell.path}'` })
          return round(['laminarc', 'queue', 'ring'])
        }),
      ],
    }
  },
}
