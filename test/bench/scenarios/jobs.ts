// Trivial jobs, one after the other, by two takers: from the first task's rename into `cur` to the last one's into `old`.

import { join } from 'node:path'

import { floor, groundOfFloor } from '../floor.ts'
import { Ground } from '../ground.ts'
import { LAMINAR, rival, script, startLaminar } from '../rivals.ts'
import type { Scenario } from '../scenario.ts'

const [QUICK, FULL] = [40, 100]

const NQ = 'nq (one slot, not durable)'

export const jobsScenario: Scenario = {
  name: 'jobs',
  about: 'trivial jobs per second, 2 takers, everything durable',
  unit: '/s',
  better: 'more',
  goal: { least: 1, aim: 1.5, of: NQ },
  places: ['tmpfs', 'ext4'],
  open: async stage => {
    const count = stage.quick ? QUICK : FULL
    const ground = new Ground(stage)
    ground.init()
    const template = ground.layTask({ '10-nothing': '#!/bin/sh\n:\n' })
    await ground.takers(2)
    const perSecond = (began: number) => (count / (performance.now() - began)) * 1000
    const work = async (at: Ground, from: string) => {
      const before = at.ls('spool/tasks/old').length
      const { publish } = at.makeTasks(from, count)
      const began = performance.now()
      publish()
      await at.until(at.spool.tasks.old, before + count)
      return perSecond(began)
    }
    const submitting = (submit: string, wait: string) => () => {
      const began = performance.now()
      const loop = `i=0; while [ $i -lt ${count} ]; do ${submit}; i=$((i + 1)); done; ${wait}`
      ground.ok('sh', ['-c', loop], { env: ground.queues })
      return Promise.resolve(perSecond(began))
    }
    const queue = (name: string, program: string, submit: string, wait: string) =>
      rival(name, [program], () => submitting(submit, wait))
    return {
      contenders: [
        { name: 'BASS', round: () => work(ground, template) },
        floor(stage, 'taker', program => {
          const other = groundOfFloor(stage, program, 2)
          const plain = other.layTask({ '10-nothing': '#!/bin/sh\n:\n' })
          return () => work(other, plain)
        }),
        rival('outline in shell', ['inotifywait', 'tai64n'], () => {
          const other = new Ground(stage)
          other.init()
          const from = other.layTask({ '10-nothing': '#!/bin/sh\n:\n' })
          const { root } = other.spool
          const env = { TASKS: join(root, 'tasks'), JOBS: join(root, 'jobs') }
          for (const slot of ['slot-1', 'slot-2']) {
            other.ok('mkdir', [slot])
            other.start(script('outline-taker'), [], { env, cwd: slot })
          }
          return () => work(other, from)
        }),
        queue(NQ, 'nq', 'nq -q sh -c :', 'nq -w'),
        rival('Laminar (not durable)', LAMINAR, () => {
          startLaminar(ground, { nothing: ':' })
          const busy = '[ -n "$(laminarc show-queued; laminarc show-running)" ]'
          return submitting('laminarc queue nothing >/dev/null', `while ${busy}; do sleep 0.01; done`)
        }),
        queue('task-spooler (not durable)', 'tsp', 'tsp -n sh -c : >/dev/null', 'tsp -w >/dev/null'),
      ],
    }
  },
}
