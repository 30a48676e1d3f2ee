// Writes a tar archive: ustar, with a pax header for what does not fit into its fields (POSIX.1-2017, pax). Names are bytes,
// each a string of one character per byte (latin1). What is written depends on nothing but what is asked for.

import type { Output } from './output.ts'

export interface NewEntry {
  readonly kind: 'file' | 'directory' | 'symlink'
  /** Relative, without a slash at its end. */
  readonly name: string
  /** Permission bits. */
  readonly mode: number
  /** Bytes of content; 0 for what is no file. */
  readonly size?: number
  /** The target of a link. */
  readonly target?: string
  /** In seconds since 1970. */
  readonly time: number
}

const BLOCK = 512
const ZEROS = Buffer.alloc(2 * BLOCK)

const NAME_BYTES_MAX = 100
const PREFIX = 155
/** The first number that eleven octal digits cannot say. */
const BEYOND = 8 ** 11

const TYPES = { file: '0', directory: '5', symlink: '2' } as const

/** Returns the header of an entry, with a pax header before it where it is needed. Pure. */
export function headerOf({ kind, name, mode, size = 0, target = '', time }: NewEntry): Buffer {
  const path = kind === 'directory' ? `${name}/` : name
  const split = splitName(path)
  const records = [
    split ? '' : record('path', path),
    target.length > NAME_BYTES_MAX ? record('linkpath', target) : '',
    size >= BEYOND ? record('size', String(size)) : '',
    time >= BEYOND ? record('mtime', String(time)) : '',
  ].join('')
  const [prefix, short] = split ?? ['', path.slice(0, NAME_BYTES_MAX)]
  const seconds = Math.min(time, BEYOND - 1)
  const fields = { mode, size: size >= BEYOND ? 0 : size, seconds, target: target.slice(0, NAME_BYTES_MAX) }
  const header = block(TYPES[kind], prefix, short, fields)
  if (records === '') return header
  const padded = Buffer.alloc(roundUp(records.length))
  padded.write(records, 'latin1')
  const about = { mode: 0o644, size: records.length, seconds, target: '' }
  return Buffer.concat([block('x', '', 'pax_header', about), padded, header])
}

/** A name in the two fields of ustar, which are joined by a slash; undefined if it does not fit. */
function splitName(path: string): readonly [string, string] | undefined {
  if (path.length <= NAME_BYTES_MAX) return ['', path]
  // Of a directory, the slash at its end separates nothing.
  const slash = path.lastIndexOf('/', Math.min(PREFIX, path.length - 2))
  return slash > 0 && path.length - slash - 1 <= NAME_BYTES_MAX
    ? [path.slice(0, slash), path.slice(slash + 1)]
    : undefined
}

/** `LENGTH KEY=VALUE` and a line feed, where the length is of all of it. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length + 1
  while (String(length).length + rest.length > length) length++
  return `${length}${rest}`
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0')

/** What the bytes of a header add up to that are the same in all, the blanks in the place of the sum among them. */
const SAME = sumOf('        ustar00rootroot')

function block(
  type: string,
  prefix: string,
  name: string,
  { mode, size, seconds, target }: { mode: number; size: number; seconds: number; target: string },
): Buffer {
  const numbers = `${octal(mode, 7)}\0${NOBODY}\0${NOBODY}\0${octal(size, 11)}\0${octal(seconds, 11)}\0`
  const sum = SAME + sumOf(name) + sumOf(numbers) + sumOf(type) + sumOf(target) + sumOf(prefix)
  const header =
    `${field(name, 100)}${numbers}${octal(sum, 6)}\0 ${type}${field(target, 100)}` +
    `ustar\x0000${field('root', 32)}${field('root', 32)}${field('', 16)}${field(prefix, BLOCK - 345)}`
  // At once: a write of each field takes longer than all the rest.
  return Buffer.from(header, 'latin1')
}

const NOBODY = octal(0, 7)

const field = (text: string, length: number): string => text.padEnd(length, '\0')

function sumOf(bytes: string): number {
  let sum = 0
  for (let i = 0; i < bytes.length; i++) sum += bytes.charCodeAt(i)
  return sum
}

const roundUp = (size: number): number => Math.ceil(size / BLOCK) * BLOCK

/** Puts entries into an archive, one after the other. */
export class TarWriter {
  readonly #output: Output
  #padding = 0

  constructor(output: Output) {
    this.#output = output
  }

  /** Begins an entry; as many bytes of content follow as it has. */
  begin(entry: NewEntry): void {
    const { size = 0 } = entry
    void this.#output.write(headerOf(entry))
    this.#padding = roundUp(size) - size
    if (size === 0) this.end()
  }

  /** The next bytes of the entry's content. More are welcome when a promise is resolved. */
  write(bytes: Buffer): void | Promise<void> {
    return this.#output.write(bytes)
  }

  /** Ends an entry that has content. */
  end(): void {
    if (this.#padding > 0) void this.#output.write(ZEROS.subarray(0, this.#padding))
    this.#padding = 0
  }

  /** Ends the archive. */
  close(): Promise<void> {
    void this.#output.write(ZEROS)
    return this.#output.close()
  }
}
