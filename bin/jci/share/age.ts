// How old is too old: `30d`, `2w`, `6m` (months), `4h`, or a span such as `1h30m` and `90m30s`. Pure.

import { quote } from '../../../lib/base/exit.ts'
import { counted } from '../../../lib/base/text.ts'

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400, w: 7 * 86_400 } as const
const MONTH = 30 * 86_400
type Unit = keyof typeof SECONDS

/** Seconds; or, in a sentence, why it is none. An `m` alone is a month; beside hours or seconds it is a minute. */
export function parseAge(text: string): number | { readonly why: string } {
  if (!/^(?:\d{1,9}[smhdw])+$/.test(text)) {
    return { why: `${quote(text)} is not an age such as 30d, 2w, 6m (months), 4h or 1h30m` }
  }
  const parts = [...text.matchAll(/(\d+)([smhdw])/g)].map(([, n, unit]) => [Number(n), unit as Unit] as const)
  const units = parts.map(([, unit]) => unit)
  if (new Set(units).size < units.length) return { why: `${quote(text)} has a unit twice` }
  const [m] = parts.find(([, unit]) => unit === 'm') ?? []
  const beside = units.filter(unit => unit !== 'm')
  const minutes = beside.some(unit => unit === 'h' || unit === 's')
  if (m !== undefined && beside.length > 0 && !minutes) {
    const days = `${m * 30}d`
    return {
      why: `${quote(text)} may mean ${counted(m, 'month')} or ${counted(m, 'minute')}: say ${days}, or give hours or seconds as well`,
    }
  }
  return parts.reduce((sum, [n, unit]) => sum + n * (unit === 'm' && !minutes ? MONTH : SECONDS[unit]), 0)
}
