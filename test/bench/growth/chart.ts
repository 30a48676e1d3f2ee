// Small charts of curves, side by side. Both axes are logarithmic and cover as many decades, so that what is linear is
// parallel to the diagonal, and what is flat is level; the dashed line is what should be. Pure.

import { number } from '../report.ts'
import { isAsItShould, judgement } from './growth.ts'
import type { Growth } from './growth.ts'

const [COLUMNS, WIDTH, HEIGHT] = [3, 290, 190]
/** Where the axes of a chart are within it. */
const [LEFT, RIGHT, TOP, BOTTOM] = [50, 270, 48, 150]

const STYLE = `
  svg { color: #222; background: #fff; font: 11px system-ui, sans-serif }
  @media (prefers-color-scheme: dark) { svg { color: #ddd; background: #111 } }
  text { fill: currentColor } .title { font-weight: bold } .end { text-anchor: end }
  path { fill: none; stroke: currentColor } .axis, .should { opacity: .4 } .should { stroke-dasharray: 4 3 }
  .yes { stroke: #2a8; stroke-width: 2 } .no { stroke: #d43; stroke-width: 2 }`

export function drawCharts(growths: readonly Growth[], foot: string): string {
  const rows = Math.ceil(growths.length / COLUMNS)
  const [width, height] = [COLUMNS * WIDTH, rows * HEIGHT + 24]
  const charts = growths.map((growth, i) => {
    const [x, y] = [(i % COLUMNS) * WIDTH, Math.floor(i / COLUMNS) * HEIGHT]
    return `<g transform="translate(${x} ${y})">\n${drawChart(growth)}\n</g>`
  })
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">`,
    `<style>${STYLE}\n</style>`,
    ...charts,
    text(10, height - 8, foot),
    '</svg>\n',
  ].join('\n')
}

function drawChart(growth: Growth): string {
  const { curve, points } = growth
  const [sizes, costs] = [0, 1].map(at => points.map(point => point[at]!)) as [number[], number[]]
  const decades = Math.max(spanOf(sizes), spanOf(costs))
  const x = scale(sizes, decades, LEFT, RIGHT)
  const y = scale(costs, decades, BOTTOM, TOP)
  const [first, last] = [points[0]!, points.at(-1)!]
  // Through the largest, where what is paid once counts least; no lower than the chart.
  const level = curve.shape === 'flat' ? costs.at(-1)! : (last[1] * first[0]) / last[0]
  const [least, most] = [Math.min(...costs), Math.max(...costs)]
  // One number where two would be upon each other.
  const labelled = y(least) - y(most) < 10 ? [most] : [least, most]
  const should = line([[x(first[0]), Math.min(y(level), BOTTOM)], [x(last[0]), y(last[1])]]) // prettier-ignore
  return [
    text(10, 18, `${curve.about}, ${curve.unit}`, 'title'),
    text(10, 34, judgement(growth)),
    path(line([[LEFT, TOP], [LEFT, BOTTOM], [RIGHT, BOTTOM]]), 'axis'), // prettier-ignore
    path(should, 'should'),
    path(line(points.map(([size, cost]) => [x(size), y(cost)])), isAsItShould(growth) ? 'yes' : 'no'),
    ...labelled.map(cost => text(LEFT - 5, y(cost) + 4, number(cost), 'end')),
    text(LEFT, BOTTOM + 15, number(first[0])),
    text((LEFT + RIGHT) / 2 - 50, BOTTOM + 30, curve.along),
    text(RIGHT, BOTTOM + 15, number(last[0]), 'end'),
  ].join('\n')
}

const spanOf = (values: readonly number[]) => Math.log10(Math.max(...values) / Math.min(...values))

/** Puts the values in the middle of so many decades. */
function scale(values: readonly number[], decades: number, from: number, to: number) {
  const middle = Math.log10(Math.max(...values) * Math.min(...values)) / 2
  return (value: number) => from + ((Math.log10(value) - middle) / decades + 0.5) * (to - from)
}

const line = (points: readonly (readonly number[])[]) =>
  'M' + points.map(point => point.map(value => value.toFixed(1)).join(' ')).join('L')

const path = (d: string, name: string) => `<path class="${name}" d="${d}"/>`

const escape = (value: string) => value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('`', '')

const text = (x: number, y: number, value: string, name = '') =>
  `<text${name && ` class="${name}"`} x="${x.toFixed(1)}" y="${y.toFixed(1)}">${escape(value)}</text>`
