// A step that prints much: how fast its lines get their labels and reach the log, and in how much memory.

import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { tolerating } from '../../../lib/base/errno.ts'
import { parseLabel } from '../../../lib/base/tai64n.ts'
import { floor } from '../floor.ts'
import { Ground } from '../ground.ts'
import { rival } from '../rivals.ts'
import type { Contender, Scenario } from '../scenario.ts'

const LINE = 'x'.repeat(75) + '\n'
const MiB = 1024 ** 2

const size = (quick: boolean) => (quick ? 32 : 128)

export const logsScenario: Scenario = {
  name: 'logs',
  about: 'log through TAI64N labels, 76-byte lines, memory flat',
  unit: 'MiB/s',
  better: 'more',
  goal: { least: 1, aim: 1.5, of: 'tai64n' },
  places: ['tmpfs', 'ext4'],
  open: stage => {
    const ground = new Ground(stage)
    const mebibytes = size(stage.quick)
    const input = ground.path('input')
    writeLines(input, mebibytes)
    const through = (program: string) => async () => {
      const began = performance.now()
      await ended(spawn('sh', ['-c', `cat '${input}' | ${program} >'${ground.path('labelled')}'`]))
      return ((statSync(input).size / MiB) * 1000) / (performance.now() - began)
    }
    return Promise.resolve({
      contenders: [
        stepsRunner(ground, input),
        rival('tai64n', ['tai64n'], () => through('tai64n')),
        floor(stage, 'label', through),
      ],
    })
  },
}

/** Makes a file of so many MiB of lines. */
export function writeLines(path: string, mebibytes: number): void {
  writeFileSync(path, LINE.repeat(Math.floor((mebibytes * MiB) / LINE.length)))
}

/** Ours: `steps-runner` with one step, from `started` to `ended` as the job has them. */
export function stepsRunner(ground: Ground, input: string): Contender & { readonly peak: () => number } {
  const [work, job] = [ground.path('work'), ground.path('1:hello:v1:testarch')]
  mkdirSync(join(work, 'steps'), { recursive: true })
  mkdirSync(join(work, 'code'))
  writeFileSync(join(work, 'steps/10-print'), `#!/bin/sh\nexec cat '${input}'\n`, { mode: 0o755 })
  let peak = 0
  return {
    name: 'BASS',
    round: async () => {
      rmSync(job, { recursive: true, force: true })
      const { pid, ended } = ground.start('slave/bin/steps-runner', [job], { cwd: work })
      const timer = setInterval(() => (peak = Math.max(peak, peakOf(pid))), 20)
      const { code, stderr } = await ended
      clearInterval(timer)
      if (code !== 0) throw new Error(`steps-runner: exit ${String(code)}: ${stderr}`)
      const at = (name: string) =>
        parseLabel(readFileSync(join(job, 'steps/10-print', name), 'latin1').trim())!
      return ((statSync(input).size / MiB) * 1000) / (at('ended') - at('started'))
    },
    /** The most memory that any of the runs took, in MB. */
    peak: () => peak,
    remark: () => `at most ${Math.round(peak)} MB of memory`,
  }
}

/** The most memory that a process has had so far, in MB. */
function peakOf(pid: number): number {
  const status = tolerating(['ENOENT', 'ESRCH'], () => readFileSync(`/proc/${pid}/status`, 'latin1'))
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status ?? '')?.[1] ?? 0) / 1024
}

const ended = (child: ReturnType<typeof spawn>) =>
  new Promise<void>((done, failed) => {
    child.on('error', failed)
    child.on('exit', code => (code === 0 ? done() : failed(new Error(`exit ${String(code)}`))))
  })
