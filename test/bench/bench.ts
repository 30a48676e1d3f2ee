// `npm run bench`: measures BASS beside what others use, scenario by scenario.

import { rmSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'

import { command, runMain, usage } from '../../lib/system/command.ts'
import { ROOT } from '../fixtures/sandbox.ts'
import { drawCharts } from './growth/chart.ts'
import { curves } from './growth/curves.ts'
import { formatGrowth, formatGrowthMarkdown, growthOf, isAsItShould } from './growth/growth.ts'
import type { Growth } from './growth/growth.ts'
import { openPlace } from './place.ts'
import type { Place } from './place.ts'
import { Profiler } from './profile.ts'
import { formatMarkdown, formatRow, keepRow, machine, makeRow, pace, readRows } from './report.ts'
import type { Row } from './report.ts'
import { compete } from './scenario.ts'
import type { Scenario, Stage } from './scenario.ts'
import { scenarios } from './scenarios.ts'
import { traceOfPush } from './timeline.ts'

/** The rows of all runs, each scenario's last; not kept in git. */
const STORE = join(ROOT, 'test/bench/results.json')

/** The trace of a push, for Perfetto or chrome://tracing. */
const TRACE = join(ROOT, 'test/bench/trace.json')
const TRACED = 10

/** How cost grows, without its suffix: a picture and a table in Markdown. */
const GROWTH = join(ROOT, 'test/bench/results-growth')

const ROUNDS = { quick: 5, full: 20 }

const description = {
  name: 'bench',
  usage: '[--quick] [--rounds N] [--place tmpfs|ext4] [--profile] [SCENARIO... | growth | trace]',
  operands: [0, Infinity],
  about: `Measures BASS beside what others use for the same work: the contenders of a scenario take turns, round
by round. Without SCENARIO all of them:

${scenarios.map(({ name, about }) => `  ${name.padEnd(14)} ${about}`).join('\n')}

Figures are medians with their quartiles. What is printed is kept in test/bench/results.json. 'trace'
shows where the time of one push goes, and leaves that in test/bench/trace.json for Perfetto.
'growth' measures how cost grows with size, and leaves test/bench/results-growth.svg and .md.`,
  options: {
    quick: { type: 'boolean', about: 'few rounds and small sizes, in less than two minutes' },
    rounds: { type: 'string', value: 'N', about: 'so many rounds' },
    place: { type: 'string', value: 'PLACE', about: 'only on tmpfs, or only on ext4' },
    profile: { type: 'boolean', about: 'print where our programs spend their time; keep no figures' },
    markdown: { type: 'boolean', about: 'run nothing; print what is kept as a table for README.md' },
  },
  environment: { BENCH_DISK: 'a directory on a disk, for ext4; without it that is in memory, too' },
  exits: { '1': 'a scenario failed' },
} as const

const bench = command(description, async (names, { quick, rounds, place, profile, markdown }) => {
  if (markdown) {
    process.stdout.write(formatMarkdown(inOrder(readRows(STORE))))
    return 0
  }
  if (names.includes('trace')) {
    rmSync(TRACE, { force: true })
    const timeline = await onStage(place === 'ext4' ? place : 'tmpfs', quick, stage =>
      traceOfPush(stage, TRACE, TRACED),
    )
    process.stdout.write(timeline ?? '')
    return 0
  }
  if (names.includes('growth')) return growth(place === 'ext4' ? place : 'tmpfs', quick)
  if (rounds !== undefined && !/^[1-9]\d*$/.test(rounds)) throw usage(description, `${rounds} is no number`)
  if (place !== undefined && place !== 'tmpfs' && place !== 'ext4')
    throw usage(description, `${place} is no place`)
  const chosen = names.length === 0 ? scenarios : names.map(find)
  process.stdout.write(
    `${machine()}; load ${loadavg()[0]!.toFixed(1)}, a bare node takes ${pace().toFixed(0)} ms\n\n`,
  )
  let failed = 0
  for (const scenario of chosen) {
    for (const name of scenario.places) {
      if (place !== undefined && place !== name) continue
      // The quick form leaves out what only differs by the place.
      if (quick && place === undefined && name !== scenario.places.at(scenario.quickPlace ?? 0)) continue
      const count =
        rounds === undefined ? (scenario.rounds ?? ROUNDS)[quick ? 'quick' : 'full'] : Number(rounds)
      try {
        const profiler = profile ? new Profiler(`${scenario.name}-${name}`) : undefined
        const row = await measure(scenario, name, quick, count, profiler)
        if (!row) continue
        process.stdout.write(formatRow(row) + '\n')
        if (profiler) process.stdout.write(profiler.format() + '\n')
        else keepRow(STORE, row)
      } catch (error) {
        failed++
        process.stderr.write(`bench: ${scenario.name} on ${name}: ${String(error)}\n`)
      }
    }
  }
  return failed === 0 ? 0 : 1
})

/** Measures all curves, and leaves them as a picture and a table. Answers 1 if one is not as it should be. */
async function growth(place: Place['name'], quick: boolean): Promise<number> {
  const growths: Growth[] = []
  for (const curve of curves) {
    const row = await measure(curve, place, quick, curve.rounds![quick ? 'quick' : 'full'])
    if (!row) return 1
    growths.push(growthOf(curve, row))
    process.stdout.write(formatGrowth(growths.at(-1)!) + '\n')
  }
  const { date, machine, realtime } = growths[0]!.row
  const foot = `${date}, ${place}, ${machine}${realtime ? ', realtime priority' : ''}${quick ? ', quick' : ''}`
  writeFileSync(`${GROWTH}.svg`, drawCharts(growths, foot))
  writeFileSync(`${GROWTH}.md`, formatGrowthMarkdown(growths))
  return growths.every(isAsItShould) ? 0 : 1
}

function find(name: string): Scenario {
  const scenario = scenarios.find(scenario => scenario.name === name)
  if (!scenario) throw usage(description, `there is no scenario '${name}'`)
  return scenario
}

function inOrder(rows: readonly Row[]): Row[] {
  const place = (row: Row) => scenarios.findIndex(({ name }) => name === row.scenario)
  return [...rows].sort((a, b) => place(a) - place(b) || (a.place < b.place ? 1 : -1))
}

/** Runs a scenario in one place; undefined where there is no such place. */
async function measure(
  scenario: Scenario,
  name: Place['name'],
  quick: boolean,
  rounds: number,
  profiler?: Profiler,
): Promise<Row | undefined> {
  const before = { load: loadavg()[0]!, pace: pace() }
  const results = await onStage(name, quick, stage =>
    compete(scenario, profiler ? { ...stage, profiler } : stage, rounds),
  )
  return results && makeRow(scenario, name, quick, before, results)
}

/** Does something in a place, and clears away whatever that made; undefined where there is no such place. */
async function onStage<T>(
  name: Place['name'],
  quick: boolean,
  act: (stage: Stage) => Promise<T>,
): Promise<T | undefined> {
  const place = openPlace(name)
  if (!place) return undefined
  // What a scenario sets leads into its place, which is not there for the next one.
  const before = { ...process.env }
  const cleanUps: (() => void | Promise<void>)[] = [() => restore(before), () => place.close()]
  let cleaning: Promise<void> | undefined
  const clean = () => (cleaning ??= cleanAll(cleanUps))
  const interrupted = () => void clean().then(() => process.exit(130))
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  try {
    return await act({ place, quick, teardown: cleanUp => void cleanUps.push(cleanUp) })
  } finally {
    await clean()
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
  }
}

/** Gives this process the environment that it had. */
function restore(before: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env))
    if (before[name] === undefined) Reflect.deleteProperty(process.env, name)
  Object.assign(process.env, before)
}

/** The last that was set up goes first. */
async function cleanAll(cleanUps: (() => void | Promise<void>)[]): Promise<void> {
  for (let cleanUp = cleanUps.pop(); cleanUp; cleanUp = cleanUps.pop()) await cleanUp()
}

if (require.main === module) runMain(bench)
