// The terminal a command prints to, if it is one: colours and width. To a pipe goes plain text of any length.

import { styleText } from 'node:util'

import { clip, width as columnsOf } from '../base/text.ts'

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
}

/**
 * Rows of cells as aligned lines, two blanks between columns; a column that is empty in all rows takes no space. The
 * last cell takes what is left of the terminal and is cut there. The texts are harmless already.
 */
export function table(rows: readonly (readonly Cell[])[], terminal: Terminal, indent = '  '): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.slice(0, -1).entries())
      widths[i] = Math.max(widths[i] ?? 0, columnsOf(cell.text))
  }
  return rows.map(row => {
    let [line, taken] = [indent, indent.length]
    for (const [i, cell] of row.entries()) {
      const last = i === row.length - 1
      const text = last ? clip(cell.text, Math.max(1, terminal.columns - taken)) : cell.text
      if (!last && widths[i] === 0) continue
      const gap = last ? '' : ' '.repeat(widths[i]! - columnsOf(text))
      const painted = cell.colour ? terminal.paint(cell.colour, text) : text
      line += (cell.right ? gap + painted : painted + gap) + (last ? '' : '  ')
      taken += (widths[i] ?? 0) + 2
    }
    return line.trimEnd()
  })
}
