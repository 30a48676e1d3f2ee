// What it costs to have everything running while nothing happens: memory of each program, and processor time of all.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { tolerating } from '../../../lib/base/errno.ts'
import { tinyCode } from '../code.ts'
import { Ground } from '../ground.ts'
import type { Scenario } from '../scenario.ts'

const NODE = 'bare node'

/** The programs of a spool with one project, and a node that does nothing. */
function startAll(ground: Ground): Map<string, number> {
  return new Map([
    ['task-maker', ground.maker().pid],
    ['task-taker', ground.taker('slot-1').pid],
    ['reaper', ground.start('master/bin/reaper').pid],
    ['reporter', ground.start('master/bin/reporter', [], { env: { REPORTER_LISTEN: '127.0.0.1:0' } }).pid],
    [NODE, ground.start('node', ['-e', 'setInterval(() => {}, 1e9)']).pid],
  ])
}

const PROGRAMS = ['task-maker', 'task-taker', 'reaper', 'reporter'] as const

/** Each program is a scenario of its own, because each has its own threshold to keep. */
export const memoryScenario: Scenario = {
  name: 'memory',
  about: 'resident memory, idle: the largest of maker, taker, reaper, reporter',
  unit: 'MB',
  better: 'less',
  goal: { least: 70, aim: 55 },
  places: ['tmpfs'],
  rounds: { quick: 3, full: 20 },
  open: stage => {
    const ground = new Ground(stage)
    ground.makeCode(tinyCode())
    ground.initProject()
    let latest = new Map<string, number>()
    const figure = (name: string) => () => Promise.resolve(latest.get(name)!)
    return Promise.resolve({
      before: async () => {
        const pids = startAll(ground)
        await new Promise(done => setTimeout(done, stage.quick ? 2500 : 5000))
        latest = new Map([...pids].map(([name, pid]) => [name, residentOf(pid)]))
        await ground.killAll()
      },
      contenders: [
        { name: 'BASS', round: () => Promise.resolve(Math.max(...PROGRAMS.map(name => latest.get(name)!))) },
        ...[...PROGRAMS, NODE].map(name => ({ name, round: figure(name) })),
      ],
    })
  },
}

const [QUICK, FULL] = [10, 600]

export const idleScenario: Scenario = {
  name: 'idle',
  about: 'processor, all of them idle for 10 minutes',
  unit: '% of a core',
  better: 'less',
  goal: { least: 0.5, aim: 0.1 },
  places: ['tmpfs'],
  rounds: { quick: 1, full: 1 },
  open: stage => {
    const seconds = stage.quick ? QUICK : FULL
    const ground = new Ground(stage)
    ground.makeCode(tinyCode())
    ground.initProject()
    const used = new Map<string, number>()
    return Promise.resolve({
      before: async () => {
        const pids = startAll(ground)
        await new Promise(done => setTimeout(done, 4000))
        const [before, began] = [usedBy(pids), performance.now()]
        await new Promise(done => setTimeout(done, seconds * 1000))
        const after = usedBy(pids)
        const took = performance.now() - began
        for (const [name, time] of after) used.set(name, ((time - before.get(name)!) / took) * 100)
        await ground.killAll()
      },
      contenders: [
        {
          name: 'BASS',
          round: () => Promise.resolve(PROGRAMS.reduce((sum, name) => sum + used.get(name)!, 0)),
          remark: () => `for ${seconds} s`,
        },
        ...[...PROGRAMS, NODE].map(name => ({ name, round: () => Promise.resolve(used.get(name)!) })),
      ],
    })
  },
}

/** What of a process is in memory, in MB. */
export function residentOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) / 1024
}

const usedBy = (pids: ReadonlyMap<string, number>) =>
  new Map([...pids].map(([name, pid]) => [name, processorTime(pid)]))

/** The processor time of all threads of a process and of all its children, in milliseconds, as the scheduler counts it. */
export function processorTime(pid: number): number {
  const threads = tolerating(['ENOENT', 'ESRCH'], () => readdirSync(`/proc/${pid}/task`)) ?? []
  return threads.reduce((sum, thread) => {
    const read = (file: string) =>
      tolerating(['ENOENT', 'ESRCH'], () =>
        readFileSync(join(`/proc/${pid}/task`, thread, file), 'latin1'),
      ) ?? ''
    const children = read('children').split(' ').filter(Boolean).map(Number)
    return (
      sum +
      Number(read('schedstat').split(' ')[0]) / 1e6 +
      children.reduce((all, child) => all + processorTime(child), 0)
    )
  }, 0)
}
