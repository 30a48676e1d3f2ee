// The terminal a command prints to, if it is one: colours and width. To a pipe goes plain text of any length.

import { styleText } from 'node:util'

import { clip, width as columnsOf } from '../../lib/base/text.ts'

export type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'blue' | 'magenta' | 'cyan'

export interface Terminal {
  /** Columns; without end where it is no terminal. */
  readonly columns: number
  /** Whether escape sequences may be printed. */
  readonly colours: boolean
  /** Text in a colour, where there are colours. */
  paint(colour: Colour, text: string): string
}

type Stream = Pick<NodeJS.WriteStream, 'isTTY' | 'columns'>

/** Describes a stream, by the stream itself, $NO_COLOR (https://no-color.org) and $TERM. */
export function terminalOf(stream: Stream = process.stdout, env = process.env): Terminal {
  const colours = stream.isTTY && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  return {
    columns: stream.isTTY ? stream.columns || 80 : Infinity,
    colours,
    paint: (colour, text) => (colours && text !== '' ? styleText(colour, text) : text),
  }
}

export interface Cell {
  readonly text: string
  readonly colour?: Colour
  /** Numbers stand right. */
  readonly right?: boolean
  /** Its column is left out where the terminal is too narrow for all of them: those with 1 first. */
  readonly spare?: number
}

/** The least width of the last cell, where columns can be spared for it. */
const LAST = 16

/**
 * Rows of cells as aligned lines, two blanks between columns; a column that is empty in all rows takes no space. The
 * last cell takes what is left of the terminal and is cut there. The texts are harmless already. All rows have as many cells.
 */
export function table(rows: readonly (readonly Cell[])[], terminal: Terminal, indent = '  '): string[] {
  const widths = widthsOf(rows, terminal.columns - indent.length)
  return rows.map(row => {
    let [line, taken] = [indent, indent.length]
    for (const [i, cell] of row.entries()) {
      const last = i === row.length - 1
      const text = last ? clipTo(cell.text, terminal.columns - taken) : cell.text
      if (!last && widths[i] === 0) continue
      const gap = last ? '' : ' '.repeat(widths[i]! - columnsOf(text))
      const painted = cell.colour ? terminal.paint(cell.colour, text) : text
      line += (cell.right ? gap + painted : painted + gap) + (last ? '' : '  ')
      taken += (widths[i] ?? 0) + 2
    }
    return line.trimEnd()
  })
}

/** Where there is no room at all, nothing is better than an ellipsis on the next line. */
const clipTo = (text: string, columns: number) => (columns < 1 ? '' : clip(text, columns))

/** The width of each column but the last; 0 of one that is left out. */
function widthsOf(rows: readonly (readonly Cell[])[], columns: number): number[] {
  const widest = (i: number) => Math.max(0, ...rows.map(row => columnsOf(row[i]!.text)))
  const cells = rows[0] ?? []
  const widths = cells.slice(0, -1).map((_, i) => widest(i))
  const last = Math.min(LAST, cells.length === 0 ? 0 : widest(cells.length - 1))
  const spares = cells
    .map(({ spare }, i) => ({ i, spare }))
    .filter(({ spare }) => spare !== undefined)
    .sort((a, b) => a.spare! - b.spare!)
  const taken = () => widths.reduce((sum, width) => sum + (width === 0 ? 0 : width + 2), last)
  for (const { i } of spares) if (taken() > columns) widths[i] = 0
  return widths
}
