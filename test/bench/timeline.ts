// Where the time of one push goes: everything that the programs reach on its way, when, and by whom.

import { readFileSync } from 'node:fs'

import { smallCode } from './code.ts'
import { Ground } from './ground.ts'
import { pushAndSee, standUp } from './scenarios/push.ts'
import type { Stage } from './scenario.ts'

interface Instant {
  readonly ph: string
  readonly name: string
  readonly pid: number
  /** Microseconds since 1970. */
  readonly ts: number
  readonly args: { readonly what?: string; readonly name?: string }
}

/** Pushes until it is warm, and answers a line for each instant of the last push. `file` holds all of them afterwards. */
export async function traceOfPush(stage: Stage, file: string, pushes: number): Promise<string> {
  const ground = new Ground(stage)
  ground.env['BASS_TRACE'] = file
  await standUp(ground, smallCode())
  let began = 0
  for (let i = 0; i < pushes; i++) {
    ground.commit()
    began = (performance.timeOrigin + performance.now()) * 1000
    await pushAndSee(ground)
  }
  return format(readTrace(file), began)
}

/** The events of a trace, which is an array without an end. */
export function readTrace(file: string): Instant[] {
  return JSON.parse(readFileSync(file, 'utf8').replace(/,?\n$/, ']')) as Instant[]
}

function format(events: readonly Instant[], began: number): string {
  const names = new Map(events.filter(({ ph }) => ph === 'M').map(({ pid, args }) => [pid, args.name!]))
  const instants = events.filter(({ ph, ts }) => ph === 'i' && ts >= began).sort((a, b) => a.ts - b.ts)
  let last = began
  const lines = instants.map(({ name, pid, ts, args }) => {
    const [at, after] = [ts - began, ts - last].map(time => (time / 1000).toFixed(2).padStart(8))
    last = ts
    const who = (names.get(pid) ?? 'post-receive').padEnd(12)
    return `${at!} ${after!}  ${who} ${name.padEnd(13)} ${args.what ?? ''}`
  })
  return ['      ms    after  who          what', ...lines].join('\n') + '\n'
}
