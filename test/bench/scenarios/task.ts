// From the rename of a task into `tasks/cur` to the first line of its step.

import { spawn } from 'node:child_process'

import { floor, groundOfFloor } from '../floor.ts'
import { Ground } from '../ground.ts'
import { rival } from '../rivals.ts'
import type { Scenario } from '../scenario.ts'
import { stepThatRings } from './push.ts'

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

export const taskScenario: Scenario = {
  name: 'task',
  about: 'task renamed into `cur` to the first line of its step',
  unit: 'ms',
  better: 'less',
  goal: { least: 15, aim: 6, of: 'nq', was: 3.4 },
  places: ['tmpfs', 'ext4'],
  rounds: { quick: 10, full: 40 },
  open: async stage => {
    const ground = new Ground(stage)
    ground.init()
    const template = layTaskThatRings(ground)
    await ground.takers(1)
    const submit = (name: string, programs: string[], command: string[]) =>
      rival(name, programs, () => async () => {
        const began = performance.now()
        const job = ['sh', '-c', 'echo the first line; echo first >"$0"', ground.bell.path]
        const [program, ...args] = [...command, ...job]
        spawn(program!, args, { cwd: ground.dir, env: { ...ground.env, ...ground.queues }, stdio: 'ignore' })
        const { at } = await ground.bell.next()
        // Whoever runs it may have something to do behind it.
        await new Promise(done => setTimeout(done, 20))
        return at - began
      })
    return {
      contenders: [
        { name: 'BASS', round: () => publishAndSee(ground, template) },
        floor(stage, 'taker', program => {
          const other = groundOfFloor(stage, program, 1)
          const plain = layTaskThatRings(other)
          return () => publishAndSee(other, plain)
        }),
        submit('fork and exec', [], []),
        submit('nq', ['nq'], ['nq', '-q']),
        submit('task-spooler', ['tsp'], ['tsp']),
      ],
    }
  },
}
