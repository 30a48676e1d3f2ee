// How a curve grows: the exponent of the power of the size that comes nearest to it. Pure.

import { circumstances, figure, number } from '../report.ts'
import type { Row } from '../report.ts'
import type { Curve, Shape } from './curves.ts'

/** A curve as it was measured; the contenders of its row are its sizes. */
export interface Growth {
  readonly curve: Curve
  readonly row: Row
  readonly points: readonly (readonly [size: number, cost: number])[]
  readonly exponent: number
}

/**
 * The largest exponents that we take for the shape. What a size has to pay once makes a curve flatter at its small end,
 * so a linear one may well have less than 1.
 */
const MOST: Readonly<Record<Shape, number>> = { flat: 0.1, linear: 1.1 }

export function growthOf(curve: Curve, row: Row): Growth {
  const points = row.results.map(({ name, median }) => [Number(name), median!] as const)
  return { curve, row, points, exponent: exponentOf(points) }
}

export const isAsItShould = ({ curve, exponent }: Growth): boolean => exponent <= MOST[curve.shape]

/** The slope of the straight line through the logarithms, by least squares. */
export function exponentOf(points: Growth['points']): number {
  const logs = points.map(point => point.map(Math.log) as [number, number])
  const mean = (at: 0 | 1) => logs.reduce((sum, point) => sum + point[at], 0) / logs.length
  const [x, y] = [mean(0), mean(1)]
  const sum = (of: (dx: number, dy: number) => number) =>
    logs.reduce((sum, point) => sum + of(point[0] - x, point[1] - y), 0)
  return sum((dx, dy) => dx * dy) / sum(dx => dx * dx)
}

/** `flat: yes, n^0.02` */
export const judgement = (growth: Growth): string =>
  `${growth.curve.shape === 'flat' ? 'flat' : 'at most linear'}: ${isAsItShould(growth) ? 'yes' : 'no'}, n^${growth.exponent.toFixed(2)}`

export function formatGrowth(growth: Growth): string {
  const { curve, row } = growth
  const width = Math.max(...row.results.map(({ name }) => name.length))
  const lines = row.results.map(
    result => `    ${result.name.padStart(width)}  ${figure(result)} ${curve.unit}`,
  )
  return [`${curve.about}, by ${curve.along}; ${judgement(growth)}`, ...lines].join('\n') + '\n'
}

export function formatGrowthMarkdown(growths: readonly Growth[]): string {
  const cells = growths.map(growth => {
    const { curve, points, row } = growth
    const costs = points.map(([size, cost]) => `${size.toLocaleString('en')}: ${number(cost)}`)
    return [
      curve.about,
      curve.along,
      `${costs.join(', ')} ${curve.unit}`,
      judgement(growth),
      circumstances(row),
    ]
  })
  const head = ['what', 'by', 'cost', 'as it should be', 'when']
  const line = (row: readonly string[]) => `| ${row.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...cells.map(line)].join('\n') + '\n'
}
