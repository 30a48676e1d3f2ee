// What is measured, and how: contenders do the same work in turn, round by round, so that whatever else the machine does
// meanwhile befalls them all.

import { summarize } from './stats.ts'
import type { Summary } from './stats.ts'
import type { Place } from './place.ts'
import type { Profiler } from './profile.ts'

export type Unit = 'ms' | '/s' | 'MB' | 'MiB/s' | '% of a core'

export interface Contender {
  readonly name: string
  /** Does the work once; answers the figure. None where a program is missing. */
  readonly round?: () => Promise<number>
  /** The program that is missing. */
  readonly missing?: string
  /** More about it than the figure, once all rounds are over: how much memory it took. */
  readonly remark?: () => string
}

/** What our figure has to be: the thresholds are absolute, or so many times the figure of another contender. */
export interface Goal {
  readonly least: number
  readonly aim: number
  readonly of?: string
  /** What that contender's figure was where the thresholds were set: here they are as much more or less as it is. */
  readonly was?: number
}

export interface Stage {
  readonly place: Place
  readonly quick: boolean
  /** Where our programs are to write profiles of themselves. */
  readonly profiler?: Profiler
  /** What is to be done when the scenario is over, the last first. */
  teardown(cleanUp: () => void | Promise<void>): void
}

export interface Scenario {
  /** As it is typed. */
  readonly name: string
  /** What it measures, in a few words. */
  readonly about: string
  readonly unit: Unit
  readonly better: 'less' | 'more'
  readonly goal?: Goal | ((place: Place['name']) => Goal)
  readonly places: readonly Place['name'][]
  /** Which of them the quick form takes; the first unless it says otherwise. */
  readonly quickPlace?: number
  /** How many rounds; 20 and, in the quick form, 5 unless it says otherwise. */
  readonly rounds?: { readonly quick: number; readonly full: number }
  /** Sets everything up. The first contender is ours. `before` is called before each round. */
  readonly open: (stage: Stage) => Promise<Cast>
}

export interface Cast {
  readonly contenders: readonly Contender[]
  readonly before?: () => void | Promise<void>
}

export interface Result extends Partial<Summary> {
  readonly name: string
  readonly missing?: string
  readonly remark?: string
}

/** Runs all rounds; the first of each contender is not counted: it warms up. */
export async function compete(scenario: Scenario, stage: Stage, rounds: number): Promise<Result[]> {
  const { contenders, before } = await scenario.open(stage)
  const figures = new Map<string, number[]>(contenders.map(({ name }) => [name, []]))
  const warmUp = rounds > 1 ? 1 : 0
  for (let round = 0; round < rounds + warmUp; round++) {
    await before?.()
    for (const { name, round: run } of contenders) {
      const figure = await run?.()
      if (figure !== undefined && round >= warmUp) figures.get(name)!.push(figure)
    }
  }
  return contenders.map(({ name, missing, remark }) => ({
    name,
    ...(missing === undefined ? summarize(figures.get(name)!) : { missing }),
    ...(remark ? { remark: remark() } : {}),
  }))
}
