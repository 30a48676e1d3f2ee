// Why a waiting task waits, in a word for programs and a sentence for people. Pure.

import { NOBODY } from './takers.ts'
import type { Crew, TakerView } from './takers.ts'
import { ago, plural } from '../base/text.ts'
import type { TaskView } from './view.ts'

export interface WaitView {
  /** `free`: a taker for it is idle, so it is about to be taken. */
  readonly reason: 'cancelling' | 'paused' | 'unseen' | 'gone' | 'fault' | 'busy' | 'free'
  /** The same as a sentence without its full stop; it is the same for all that wait for this reason. */
  readonly text: string
  /** Its place among those that wait for the same takers, from 1. */
  readonly place: number
}

type Task = { readonly name: string } & Pick<
  TaskView,
  'num' | 'project' | 'arch' | 'host' | 'state' | 'cancelling'
>

export interface Circumstances {
  /** The places of all that wait. */
  readonly places: ReadonlyMap<string, number>
  /** All that are known, and what they are. */
  readonly takers: readonly TakerView[]
  readonly crew: Crew
  /** The names in `pause/`. */
  readonly paused: ReadonlySet<string>
  /** The time in milliseconds. */
  readonly now: number
}

/** Why `task` waits. */
export function whyWaiting(task: Task, { places, takers, crew, paused, now }: Circumstances): WaitView {
  const place = places.get(task.name) ?? 1
  const because = (reason: WaitView['reason'], text: string): WaitView => ({ reason, text, place })
  const able = takers.filter(taker => serves(taker, task))
  const open = able.filter(taker => !paused.has(`host:${taker.host}`))
  const alive = open.filter(taker => taker.state === 'idle' || taker.state === 'busy')
  const what = task.host === null ? task.arch : `${task.arch} on ${task.host}`

  if (task.cancelling) return because('cancelling', 'it is being cancelled')
  if (paused.has('all')) return because('paused', 'everything is paused')
  if (paused.has(`project:${task.project}`)) return because('paused', `${task.project} is paused`)
  if (able.length === 0) return because('unseen', `no ${crew} for ${what} ${NOBODY[crew]}`)
  if (open.length === 0)
    return because('paused', `${hosts(able)} ${plural(hosts(able).split(' ').length, 'is', 'are')} paused`)
  if (alive.length === 0) return because('gone', goneText(open, `${crew} for ${what}`, now))
  const well = alive.filter(taker => taker.fault === null)
  if (well.length === 0)
    return because('fault', `the ${crew} on ${alive[0]!.host} cannot take tasks: ${alive[0]!.fault!}`)
  if (well.some(taker => taker.state === 'idle')) return because('free', `a ${crew} for ${what} is free`)
  return because(
    'busy',
    well.length === 1
      ? `the one ${crew} for ${what} is busy`
      : `all ${well.length} ${crew}s for ${what} are busy`,
  )
}

const serves = (taker: TakerView, task: Task) =>
  taker.arch === task.arch && (task.host === null || taker.host === task.host)

const hosts = (takers: readonly TakerView[]) => [...new Set(takers.map(taker => taker.host))].join(' ')

function goneText(takers: readonly TakerView[], what: string, now: number): string {
  const beats = takers.map(taker => taker.beat).filter(beat => beat !== null)
  if (beats.length === 0) return `no ${what} is running`
  return `no ${what} is alive, the last beat was ${ago(now - Math.max(...beats))}`
}

/** The reason with its place: what a person asks of one task. */
export function tellWait({ reason, text, place }: WaitView): string {
  if (place === 1 || reason === 'cancelling') return text
  return `${text}; ${place === 2 ? '1 is' : `${place - 1} are`} queued before it`
}

/**
 * The place of each waiting task, by its name, among those that wait for the same takers: takers go round by number, so
 * this is where it stands when nothing else comes.
 */
export function placesInQueue(tasks: readonly Task[]): ReadonlyMap<string, number> {
  const waiting = tasks.filter(({ state }) => state === 'waiting')
  waiting.sort((a, b) => a.num - b.num)
  // How many come before, by architecture: all of them, those for any host, and those for each host.
  const before = new Map<string, { all: number; anyHost: number; byHost: Map<string, number> }>()
  return new Map(
    waiting.map(({ name, arch, host }) => {
      const count = before.get(arch) ?? { all: 0, anyHost: 0, byHost: new Map<string, number>() }
      before.set(arch, count)
      const here = host === null ? 0 : (count.byHost.get(host) ?? 0)
      const rivals = host === null ? count.all : count.anyHost + here
      count.all++
      if (host === null) count.anyHost++
      else count.byHost.set(host, here + 1)
      return [name, rivals + 1]
    }),
  )
}
