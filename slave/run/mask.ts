// Secrets in a stream of bytes: every byte that belongs to an occurrence of one is hidden, and each run of such bytes
// shows as `***`, however the stream is cut into chunks. Only a suffix that may still become a secret is held back.
// Pure.

const STARS = Buffer.from('***')

/** Lines of a secret that are hidden by themselves: shorter ones, as `}`, would hide half the log. */
const SHORTEST_LINE = 4

interface Pattern {
  readonly bytes: Buffer
  /** For each length of a prefix, the length of its longest proper prefix that is also its suffix. */
  readonly borders: Int32Array
  /** How far behind an occurrence the next one can begin. */
  readonly period: number
}

/** Returns the strings to hide: each value, and each line of a value that has several. Longest first. */
export function patternsOf(values: readonly string[]): string[] {
  const lines = values.flatMap(value =>
    value
      .split('\n')
      .map(line => line.replace(/\r$/, ''))
      .filter(line => Buffer.byteLength(line) >= SHORTEST_LINE),
  )
  const all = new Set([...values, ...lines].filter(text => text !== ''))
  return [...all].sort((a, b) => b.length - a.length)
}

export class Masker {
  readonly #patterns: readonly Pattern[]
  /** The suffix of the stream that is held back. */
  #held: Buffer = Buffer.alloc(0)
  /** How much of it is hidden by `***` that were shown already. */
  #hidden = 0

  constructor(values: readonly string[]) {
    this.#patterns = patternsOf(values).map(text => compile(Buffer.from(text)))
  }

  /** Takes the next chunk of the stream and returns what can be shown now, which may be the chunk itself. */
  push(chunk: Buffer): Buffer {
    if (this.#patterns.length === 0) return chunk
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    const held = Math.max(...this.#patterns.map(pattern => openPrefix(pattern, bytes)))
    return this.#show(bytes, bytes.length - held)
  }

  /** Returns what was held back, at the end of the stream. */
  end(): Buffer {
    return this.#show(this.#held, this.#held.length)
  }

  /** Shows `bytes` up to `end` and holds back the rest. */
  #show(bytes: Buffer, end: number): Buffer {
    const shown: Buffer[] = []
    let at = this.#hidden
    for (const [from, to] of this.#occurrences(bytes)) {
      if (from >= end) break
      if (from >= at) shown.push(bytes.subarray(at, from), STARS)
      at = Math.max(at, to)
    }
    if (at < end) shown.push(bytes.subarray(at, end))
    // A copy: the chunk is the caller's buffer, and is filled again.
    this.#held = Buffer.from(bytes.subarray(end))
    this.#hidden = Math.max(0, at - end)
    return shown.length === 1 ? shown[0]! : Buffer.concat(shown)
  }

  /** Where secrets stand, in order of their beginning; they may overlap. */
  #occurrences(bytes: Buffer): [number, number][] {
    const found: [number, number][] = []
    for (const { bytes: secret, period } of this.#patterns) {
      for (let at = bytes.indexOf(secret); at >= 0; at = bytes.indexOf(secret, at + period)) {
        found.push([at, at + secret.length])
      }
    }
    return found.sort(([a], [b]) => a - b)
  }
}

function compile(bytes: Buffer): Pattern {
  const borders = new Int32Array(bytes.length + 1)
  for (let i = 1, border = 0; i < bytes.length; i++) {
    while (border > 0 && bytes[i] !== bytes[border]) border = borders[border]!
    if (bytes[i] === bytes[border]) border++
    borders[i + 1] = border
  }
  return { bytes, borders, period: bytes.length - borders[bytes.length]! }
}

/** The length of the longest suffix of `text` that begins the secret without being all of it (Knuth, Morris, Pratt). */
function openPrefix({ bytes, borders }: Pattern, text: Buffer): number {
  let matched = 0
  for (let i = Math.max(0, text.length - bytes.length + 1); i < text.length; i++) {
    while (matched > 0 && text[i] !== bytes[matched]) matched = borders[matched]!
    if (text[i] === bytes[matched]) matched++
  }
  return matched
}

/** A whole text with its secrets hidden. */
export function mask(text: string, values: readonly string[]): string {
  if (values.length === 0) return text
  const masker = new Masker(values)
  return Buffer.concat([masker.push(Buffer.from(text)), masker.end()]).toString()
}
