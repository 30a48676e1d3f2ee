// The takers in one line: how many do what, and who fell silent. Pure.

import { NOBODY } from './takers.ts'
import type { Crew, TakerView } from './takers.ts'
import { ago, counted, harmless } from '../base/text.ts'

/** `3 takers: 2 busy, 1 idle`; one that cannot take tasks is named with its fault, a silent one with its last beat. `now` in milliseconds. */
export function takersLine(takers: readonly TakerView[], crew: Crew, now: number): string {
  if (takers.length === 0) return `no ${crew} ${NOBODY[crew]}`
  const states = ['busy', 'idle', 'stopped', 'silent'] as const
  const counts = states
    .map(state => ({ state, those: takers.filter(taker => taker.state === state) }))
    .filter(({ those }) => those.length > 0)
    .map(
      ({ state, those }) => `${those.length} ${state}${state === 'silent' ? ` (${named(those, now)})` : ''}`,
    )
  const faults = takers.filter(({ fault }) => fault !== null)
  const told = faults
    .slice(0, 3)
    .map(({ host, slot, fault }) => `; ${harmless(`${host} ${slot ?? ''}`.trim())}: ${harmless(fault!)}`)
  const more = faults.length > told.length ? `; ${faults.length - told.length} more cannot take tasks` : ''
  return `${counted(takers.length, crew)}: ${counts.join(', ')}${told.join('')}${more}`
}

const named = (takers: readonly TakerView[], now: number) =>
  takers
    .slice(0, 3)
    .map(
      ({ host, slot, beat }) =>
        harmless(`${host} ${slot ?? ''}`.trim()) + (beat === null ? '' : `, ${ago(now - beat)}`),
    )
    .concat(takers.length > 3 ? ['...'] : [])
    .join('; ')
