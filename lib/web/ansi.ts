// A line of a log as HTML: colours of terminals as classes, so that the page's own palette, light or dark, keeps them
// readable; everything else that would drive a terminal is dropped or shown as a harmless picture of itself. Pure.

import Anser from 'anser'

import { html } from './html.ts'
import type { Html } from './html.ts'

const COLOUR_NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'] as const

/** The usual sixteen colours (those of xterm): the normal ones, then the bright ones. */
const SIXTEEN = [
  [0, 0, 0],
  [205, 0, 0],
  [0, 205, 0],
  [205, 205, 0],
  [0, 0, 238],
  [205, 0, 205],
  [0, 205, 205],
  [229, 229, 229],
  [127, 127, 127],
  [255, 0, 0],
  [0, 255, 0],
  [255, 255, 0],
  [92, 92, 255],
  [255, 0, 255],
  [0, 255, 255],
  [255, 255, 255],
] as const

/* eslint-disable no-control-regex -- control characters are what is looked for */
/** Operating-system commands, such as titles and links: ESC ] ... BEL or ESC \. */
const COMMANDS = /\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?/g
/** Escape sequences that set no colour: cursor movements and the like. */
const MOVES = /\x1b(?:\[[0-9;:?<=>!]*[ -/]*[@-ln-~]|[ -/]*[0-Z\\^-~])/g
const CONTROLS = /[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]/g
const ESCAPES = /\x1b/g
/** Escape sequences that set colours (SGR). */
const COLOURS = /\x1b\[[\d;:]*m/g
const ANY = /[\x00-\x08\x0b-\x1f\x7f]/
/* eslint-enable no-control-regex */

/** The bytes of a line as HTML. */
export function renderLine(bytes: Buffer): Html | string {
  const text = shown(bytes.toString('utf8'))
  if (!ANY.test(text)) return text
  if (!text.includes('\x1b')) return pictured(text)
  const parts = Anser.ansiToJson(text.replace(COMMANDS, '').replace(MOVES, ''), {
    json: true,
    use_classes: true,
    remove_empty: true,
  })
  return html`${parts.map(part => {
    const classes = [
      ...colour(part.fg, part.fg_truecolor, 'fg'),
      ...colour(part.bg, part.bg_truecolor, 'bg'),
      ...part.decorations.map(name => `ansi-${name}`),
    ]
    const content = pictured(part.content)
    return classes.length > 0 ? html`<span class="${classes.join(' ')}">${content}</span>` : content
  })}`
}

/** A line as plain text, without colours and whatever else drives a terminal. */
export function plainLine(bytes: Buffer): string {
  const text = bytes.toString('utf8')
  if (!ANY.test(text)) return text
  return pictured(shown(text).replace(COMMANDS, '').replace(MOVES, '').replace(COLOURS, ''))
}

/** Returns what a terminal shows in the end for a line with carriage returns, as progress bars print. */
function shown(text: string): string {
  const line = text.replace(/\r+$/, '')
  return line.slice(line.lastIndexOf('\r') + 1)
}

/** Control characters as their pictures: U+2400 and on. */
function pictured(text: string): string {
  return text
    .replace(ESCAPES, '\u241b')
    .replace(CONTROLS, c => (c === '\x7f' ? '\u2421' : String.fromCharCode(0x2400 + c.charCodeAt(0))))
}

function colour(name: string | null, rgb: string | null, side: 'fg' | 'bg'): string[] {
  const index = indexOf(name, rgb)
  if (index === undefined) return []
  return [`${side}-${index >= 8 ? 'bright-' : ''}${COLOUR_NAMES[index % 8]!}`]
}

/** Which of the sixteen: of the other colours, the nearest. */
function indexOf(name: string | null, rgb: string | null): number | undefined {
  if (name === null) return undefined
  if (name === 'ansi-truecolor') return nearest((rgb ?? '').split(',').map(Number))
  const palette = /^ansi-palette-(\d+)$/.exec(name)
  if (palette) return fromPalette(Number(palette[1]))
  const plain = /^ansi-(bright-)?(\w+)$/.exec(name)
  const index = COLOUR_NAMES.findIndex(colour => colour === plain?.[2])
  return index < 0 ? undefined : index + (plain?.[1] ? 8 : 0)
}

/** The palette of 256: the sixteen, a cube of 6 x 6 x 6, then 24 greys. */
function fromPalette(index: number): number {
  if (index < 16) return index
  if (index >= 232) return nearest(Array<number>(3).fill((index - 232) * 10 + 8))
  const level = (n: number) => (n === 0 ? 0 : n * 40 + 55)
  const cube = index - 16
  return nearest([level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6)])
}

function nearest([r = 0, g = 0, b = 0]: number[]): number {
  const distances = SIXTEEN.map(([x, y, z]) => (x - r) ** 2 + (y - g) ** 2 + (z - b) ** 2)
  return distances.indexOf(Math.min(...distances))
}
