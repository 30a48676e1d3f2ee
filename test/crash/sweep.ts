// Tries instants of scenarios: each one in a world of its own, which is restarted and judged.

import { readFileSync } from 'node:fs'

import { sweepTries } from '../../slave/sources/tries.ts'
import type { Operation } from '../fixtures/fault.ts'
import type { Ended } from '../fixtures/sandbox.ts'
import { END, INSTANTS, withLooks } from './instants.ts'
import type { Instant, Kind } from './instants.ts'
import { Disk } from './disk.ts'
import { inspect, verdicts } from './invariants.ts'
import type { Findings } from './invariants.ts'
import type { Scenario } from './scenario.ts'
import { World } from './world.ts'
import type { Fixtures } from './world.ts'

export interface Outcome extends Findings {
  /** False if the run was over before its instant came. */
  readonly tried: boolean
  /** How the program itself ended other than it should when it met an error. */
  readonly badly: string[]
}

/** What a sweep found: how many instants were tried, and how many of them lost, doubled or left something. */
export interface Totals {
  tried: number
  unreached: number
  lost: number
  doubled: number
  left: number
  badly: number
}

export const nothingYet = (): Totals => ({ tried: 0, unreached: 0, lost: 0, doubled: 0, left: 0, badly: 0 })

export const summary = ({ tried, lost, doubled, left, badly }: Totals): string =>
  `instants tried ${tried}, lost ${lost}, doubled ${doubled}, left over ${left}, ended badly ${badly}`

/**
 * The operations of a run that meets no fault, of the program that is meant, or of all processes. Throws if that run by
 * itself is not as it should be.
 */
async function operationsOf(
  scenario: Scenario,
  fixtures: Fixtures,
  whose: 'its' | 'all' = 'its',
  looks: Record<string, string> = {},
): Promise<Operation[]> {
  const world = new World(fixtures)
  try {
    await scenario.setUp(world)
    const state = world.arm(whose === 'its' ? scenario.program : undefined, undefined, looks)
    const ended = await scenario.run(world)
    world.disarm()
    await scenario.recover(world, ended)
    const wrong = Object.values(judge(scenario, world, ended)).flat()
    if (ended.code !== (scenario.exits ?? 0) || wrong.length > 0) {
      throw new Error(
        `'${scenario.name}' fails without a fault: exit ${String(ended.code)}: ${ended.stderr}${wrong.join('\n')}`,
      )
    }
    const inWorld = (path: string) => path.replaceAll(`${world.sandbox.dir}/`, '')
    return state.operations().map(one => ({ ...one, path: inWorld(one.path), to: inWorld(one.to) }))
  } finally {
    await world.dispose()
  }
}

const looksOf = (kind: Kind): Record<string, string> => (withLooks(kind) ? { FAULT_LOOKS: '1' } : {})

/** All instants of a kind. */
export async function instantsOf(scenario: Scenario, fixtures: Fixtures, kind: Kind): Promise<Instant[]> {
  if (scenario.without?.includes(kind)) return []
  const whose = kind === 'power cut' ? 'all' : 'its'
  const looks = looksOf(kind)
  const key = `${whose} ${scenario.name} ${Object.keys(looks).join()}`
  const operations = fixtures.operations.get(key) ?? operationsOf(scenario, fixtures, whose, looks)
  fixtures.operations.set(key, operations)
  return INSTANTS[kind](await operations)
}

/** Tries instants, adds up what they did, and says what each one that did harm did. Ends early once it is `enough`. */
export async function sweep(
  scenario: Scenario,
  fixtures: Fixtures,
  instants: readonly Instant[],
  totals: Totals,
  say: (line: string) => void,
  enough: () => boolean = () => false,
): Promise<void> {
  const queue = [...instants]
  // While one waits for a process, the other judges.
  const lane = async () => {
    for (let instant = queue.shift(); instant && !enough(); instant = queue.shift()) {
      const outcome = await tryInstant(scenario, fixtures, instant)
      totals[outcome.tried ? 'tried' : 'unreached']++
      for (const kind of ['lost', 'doubled', 'left', 'badly'] as const) {
        if (outcome[kind].length === 0) continue
        totals[kind]++
        say(`${kind}: ${scenario.name}: ${describe(instant)}: ${outcome[kind].join('; ')}`)
      }
    }
  }
  await Promise.all([lane(), lane()])
}

/** How many instants did harm. */
export const harm = ({ lost, doubled, left, badly }: Totals): number => lost + doubled + left + badly

const describe = ({ kind, fault, again, operation }: Instant): string =>
  `${kind} ${fault}${again === undefined ? '' : ` then ${again}`} (${operation.kind} ${operation.path})`

async function tryInstant(scenario: Scenario, fixtures: Fixtures, instant: Instant): Promise<Outcome> {
  const world = new World(fixtures)
  const { fault, again } = instant
  try {
    await scenario.setUp(world)
    if (instant.kind === 'power cut') return await tryPowerCut(scenario, world, instant)
    if (instant.kind.startsWith('undead')) return await tryUndead(scenario, world, instant)
    if (instant.kind === 'listing' || instant.kind === 'away')
      return await tryBeside(scenario, world, instant)
    if (instant.kind === 'two stops') return await tryTwoStops(scenario, world, instant)
    const first = world.arm(scenario.program, fault)
    const ended = await scenario.run(world)
    let tried = first.fired
    if (again !== undefined) {
      const second = world.arm(scenario.program, again)
      await scenario.recover(world, ended)
      tried &&= second.fired
    }
    world.disarm()
    await scenario.recover(world, ended)
    return {
      tried,
      ...judge(scenario, world, ended),
      badly: instant.kind === 'error' ? manners(ended, scenario.exits) : [],
    }
  } finally {
    await world.dispose()
  }
}

/** The program stops; everything else goes on without it, until its work is done; then it goes on itself. */
async function tryUndead(scenario: Scenario, world: World, { kind, fault }: Instant): Promise<Outcome> {
  world.arm(scenario.program, fault)
  const running = scenario.run(world)
  const tried = await world.stopped(running)
  world.disarm()
  const wake = world.takeOver()
  if (kind === 'undead') world.settle = '1h'
  if (tried) {
    await scenario.recover(world)
    wake()
  }
  const ended = await running
  world.settle = '0'
  await scenario.recover(world, ended)
  return { tried, ...judge(scenario, world, ended), badly: [] }
}

/** The program meets errors beside others that do its work; when they have done it, all is well again. */
async function tryBeside(scenario: Scenario, world: World, { kind, fault }: Instant): Promise<Outcome> {
  const state = world.arm(scenario.program, fault, looksOf(kind))
  const running = scenario.run(world)
  world.disarm()
  await world.met(state, running)
  world.takeOver()
  if (state.fired) await scenario.recover(world)
  state.mend()
  const ended = await running
  await scenario.recover(world, ended)
  return { tried: state.fired, ...judge(scenario, world, ended), badly: manners(ended, scenario.exits) }
}

/** The program stops, and a second one like it does; the first one goes on to its end, then the second. */
async function tryTwoStops(
  scenario: Scenario,
  world: World,
  { kind, fault, again }: Instant,
): Promise<Outcome> {
  const begin = async (fault: string) => {
    world.arm(scenario.program, fault, looksOf(kind))
    const running = scenario.run(world)
    world.disarm()
    const stopped = await world.stopped(running)
    const wake = world.takeOver()
    const goOn = async () => {
      if (stopped) wake()
      return await running
    }
    return { stopped, goOn }
  }
  const first = await begin(fault)
  const second = await begin(again!)
  const ended = await first.goOn()
  await second.goOn()
  await scenario.recover(world, ended)
  return { tried: first.stopped && second.stopped, ...judge(scenario, world, ended), badly: [] }
}

/** As if the whole machine had lost its power: nothing goes on, and the disk holds what it must. */
async function tryPowerCut(
  scenario: Scenario,
  world: World,
  { fault, operation }: Instant,
): Promise<Outcome> {
  const disk = new Disk(world.spool)
  const state = world.arm(undefined, fault)
  const ended = await scenario.run(world)
  world.disarm()
  world.killAll()
  const shown = verdicts(world.spool)
  disk.follow(state.operations())
  disk.cutPower()
  await scenario.recover(world, ended)
  const findings = judge(scenario, world, ended)
  const kept = verdicts(world.spool)
  const gone = [...shown].filter(([job, verdict]) => kept.get(job) !== verdict)
  if (!scenario.deletes) {
    findings.lost.push(
      ...gone.map(([job, verdict]) => `${job} was shown as ${verdict}, and is ${String(kept.get(job))}`),
    )
  }
  return { tried: state.fired || operation.kind === END, ...findings, badly: [] }
}

function judge(scenario: Scenario, world: World, { stdout }: Ended): Findings {
  const findings = inspect(world.spool, scenario.expected(world))
  findings.lost.push(...(scenario.findings?.(world) ?? []))
  if (scenario.acknowledges) {
    const tasks = [...world.sandbox.ls('spool/tasks/cur'), ...world.sandbox.ls('spool/tasks/old')]
    const promised = stdout.split('\n').filter(name => name !== '' && !tasks.includes(name))
    findings.lost.push(...promised.map(name => `${name} was printed and is not there`))
  }
  // What a task's steps wrote into the ledger tells how often they ran.
  for (const name of world.sandbox.ls('ledger')) {
    const runs = readFileSync(world.sandbox.path('ledger', name), 'utf8').split('\n').length - 1
    if (runs > 1) findings.doubled.push(`${name} ran ${runs} times`)
  }
  for (const [name, verdict] of verdicts(world.spool)) {
    if (
      verdict === 'success' &&
      scenario.program?.startsWith('slave/') &&
      !world.sandbox.ls('ledger').includes(name)
    ) {
      findings.lost.push(`${name} is a success that never ran`)
    }
  }
  for (const pid of world.processes()) findings.left.push(`process ${pid}`)
  // The next slave of the machine removes what a try could not.
  sweepTries(world.sandbox.path('jobtmp'))
  for (const name of world.sandbox.ls('jobtmp')) findings.left.push(`jobtmp/${name}`)
  return findings
}

/** A program that meets an error carries on, or exits 111 with one line that says why. */
function manners({ code, signal, stderr }: Ended, usual = 0): string[] {
  const lines = stderr.split('\n').filter(line => line !== '')
  if (signal !== null) return [`ended by ${signal}: ${stderr}`]
  const [fatal, warnings] = [': fatal: ', ': warning: '].map(level =>
    lines.filter(line => line.includes(level)),
  )
  // What cannot be looked at is said, and left for later.
  const isLeft = code === 0 && warnings!.length > 0
  if (code !== usual && code !== 111 && !isLeft) return [`exit ${String(code)}: ${stderr}`]
  // The hook and the fetcher do what they can, and say of each thing that they left why.
  const isSaid = fatal!.length === 1 || (fatal!.length === 0 && warnings!.length > 0)
  if (code === 111 && !isSaid) return [`not one reason: ${stderr}`]
  return lines.some(line => /^\s+at /.test(line)) ? [`a stack: ${stderr}`] : []
}
