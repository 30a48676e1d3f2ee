// What was measured, and on what kind of day, as people and programs read it.

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { arch, cpus, loadavg, release } from 'node:os'

import { ignoringENOENT } from '../../lib/base/errno.ts'
import { summarize } from './stats.ts'
import type { Goal, Result, Scenario } from './scenario.ts'

/** One scenario in one place. */
export interface Row {
  readonly scenario: string
  readonly about: string
  readonly place: string
  readonly unit: string
  readonly better: 'less' | 'more'
  readonly quick: boolean
  readonly date: string
  readonly machine: string
  /** True where it ran before all that is not of realtime priority, as `chrt` gives it. */
  readonly realtime?: boolean
  /** The load average of a minute before and after: what else the machine did. */
  readonly load: readonly [number, number]
  /** What a bare node took from start to end just before, in milliseconds: 30 where nothing else runs. */
  readonly pace: number
  readonly results: readonly Result[]
  /** What ours has to be here, computed from the rivals where the goal says so. */
  readonly least?: number
  readonly aim?: number
}

/** How fast this machine is just now: what a bare node takes from start to end, in milliseconds. */
export function pace(): number {
  const times = Array.from({ length: 5 }, () => {
    const began = performance.now()
    spawnSync('node', ['-e', '0'], { env: { PATH: process.env['PATH'] } })
    return performance.now() - began
  })
  return summarize(times).median
}

export const machine = (): string =>
  `${cpus().length} x ${cpus()[0]?.model ?? arch()}, Linux ${release()}, Node ${process.version.slice(1)}`

/** Whether the scheduler prefers us to all that is not of realtime priority; what we start inherits it. */
function isRealtime(): boolean {
  // The policy is the 41st field, the 39th behind the name, which may hold blanks.
  const stat = ignoringENOENT(() => readFileSync('/proc/self/stat', 'latin1')) ?? ''
  return ['1', '2'].includes(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[38]!)
}

export function makeRow(
  scenario: Scenario,
  place: 'tmpfs' | 'ext4',
  quick: boolean,
  before: Pick<Row, 'pace'> & { readonly load: number },
  results: readonly Result[],
): Row {
  const { name, about, unit, better, goal } = scenario
  const here = typeof goal === 'function' ? goal(place) : goal
  return {
    scenario: name,
    about,
    place,
    unit,
    better,
    quick,
    date: new Date().toISOString().slice(0, 16) + 'Z',
    machine: machine(),
    realtime: isRealtime(),
    load: [before.load, loadavg()[0]!],
    pace: before.pace,
    results,
    ...(here ? thresholds(here, results) : {}),
  }
}

function thresholds({ least, aim, of, was = 1 }: Goal, results: readonly Result[]) {
  if (of === undefined) return { least, aim }
  const median = results.find(result => result.name === of)?.median
  // Without that contender thresholds stand as they are, if they are not ratios.
  if (median === undefined) return was === 1 ? {} : { least, aim }
  return { least: (least * median) / was, aim: (aim * median) / was }
}

/** `aim`, `at least`, or `no`. */
export function verdict({ better, results, least, aim }: Row): string {
  const ours = results[0]?.median
  if (ours === undefined || least === undefined || aim === undefined) return '?'
  const reaches = (threshold: number) => (better === 'less' ? ours <= threshold : ours >= threshold)
  return reaches(aim) ? 'aim' : reaches(least) ? 'at least' : 'no'
}

/** Three digits, or all before the point. */
export const number = (value: number): string =>
  value >= 100
    ? Math.round(value).toLocaleString('en')
    : Number(value.toPrecision(value < 10 ? 2 : 3)).toString()

export const figure = ({ missing, median, low, high, rounds, remark }: Result, unit = ''): string => {
  if (missing !== undefined) return `- (${missing} is not installed)`
  const spread = rounds! > 1 ? ` (${number(low!)}-${number(high!)})` : ''
  return number(median!) + spread + unit + (remark === undefined ? '' : `, ${remark}`)
}

/** A row for people who wait for it. */
export function formatRow(row: Row): string {
  const width = Math.max(...row.results.map(({ name }) => name.length))
  const rounds = row.results[0]?.rounds ?? 0
  const lines = row.results.map(result => `    ${result.name.padEnd(width)}  ${figure(result)}`)
  const goal =
    row.least === undefined
      ? []
      : [`    at least ${number(row.least)}, aim ${number(row.aim!)}: ${verdict(row)}`]
  const head = `${row.scenario} on ${row.place}: ${row.about}\n    ${row.unit}, median (quartiles) of ${rounds} rounds, ${row.better} is better`
  return [head, ...lines, ...goal].join('\n') + '\n'
}

/** When it was, and on what kind of day. */
export const circumstances = ({ date, load, pace, realtime }: Row): string =>
  `${date}, load ${load.map(load => load.toFixed(1)).join(' to ')}, node ${number(pace)} ms` +
  (realtime ? ', realtime priority' : '')

/** All rows as a table in Markdown. */
export function formatMarkdown(rows: readonly Row[]): string {
  const cells = rows.map(row => {
    const [ours, ...others] = row.results
    return [
      row.about + (row.quick ? ' (quick)' : ''),
      row.place,
      figure(ours!, ` ${row.unit}`),
      others.map(other => `${other.name} ${figure(other)}`).join('; '),
      row.least === undefined ? '' : number(row.least),
      row.aim === undefined ? '' : number(row.aim),
      verdict(row),
      circumstances(row),
    ]
  })
  const head = ['what', 'where', 'BASS', 'others', 'at least', 'aim', 'met', 'when']
  const line = (row: readonly string[]) => `| ${row.map(cell => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...cells.map(line)].join('\n') + '\n'
}

const keyOf = (row: Row) => `${row.scenario} ${row.place}`

/** The rows of earlier runs, as a file has them. */
export function readRows(path: string): Row[] {
  const text = ignoringENOENT(() => readFileSync(path, 'utf8'))
  return text === undefined ? [] : (JSON.parse(text) as Row[])
}

/** Puts a row into the file, in place of the one that was there of the same scenario and place. */
export function keepRow(path: string, row: Row): void {
  const rows = readRows(path).filter(other => keyOf(other) !== keyOf(row))
  writeFileSync(path, JSON.stringify([...rows, row], null, 2) + '\n')
}
