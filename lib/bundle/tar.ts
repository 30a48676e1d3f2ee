// Reads a tar archive: ustar, with the extensions of pax and GNU for what does not fit into its fields (POSIX.1-2017,
// pax; tar(5) of FreeBSD). Names are bytes, whatever they mean to anyone: here each is a string of one character per
// byte (latin1), so that they come out as they went in. No archive makes it throw anything but BundleError.

import { BundleError } from './bundle-error.ts'
import type { ByteReader } from './byte-reader.ts'
import { quote } from '../base/exit.ts'

export interface TarEntry {
  readonly kind: 'file' | 'directory' | 'symlink' | 'link'
  readonly name: string
  /** The target of a link; empty for other entries. */
  readonly target: string
  /** Permission bits. */
  readonly mode: number
  /** Bytes of content. */
  readonly size: number
}

/** A name of bytes as it may stand in a message. */
export const quoteBytes = (name: string): string =>
  quote(Buffer.from(name.slice(0, 300), 'latin1').toString() + (name.length > 300 ? '...' : ''))

const BLOCK = 512
const ZEROS = Buffer.alloc(BLOCK)

/** A name of 4 KiB and whatever else a header says of the next entry is shorter than this. */
const EXTENSION_MAX = 1024 * 1024

const KINDS: Readonly<Record<string, TarEntry['kind']>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  '1': 'link',
  '2': 'symlink',
  '5': 'directory',
}

const REFUSED: Readonly<Record<string, string>> = {
  '3': 'a device',
  '4': 'a device',
  '6': 'a FIFO',
  S: 'a sparse file',
}

/** The fields of a pax or GNU header, which describe the next entry. */
interface Extension {
  path?: string
  linkpath?: string
  size?: number
}

export class TarReader {
  readonly #input: ByteReader
  #name = ''
  /** Bytes of the entry's content that were not read yet, and what fills up its last block. */
  #left = 0
  #padding = 0

  constructor(input: ByteReader) {
    this.#input = input
  }

  /** The next entry, or undefined at the end of the archive. What of the last one's content was not read is passed over. */
  async next(): Promise<TarEntry | undefined> {
    if (!(await this.#input.skip(this.#left + this.#padding))) throw this.#truncated()
    let extension: Extension = {}
    for (;;) {
      const header = await this.#header()
      if (!header) return undefined
      const kind = String.fromCharCode(header[156]!)
      const size = number(header, 124, 12)
      if (kind === 'x') extension = { ...extension, ...parsePax(await this.#extension(size)) }
      else if (kind === 'L') extension.path = untilNul(await this.#extension(size))
      else if (kind === 'K') extension.linkpath = untilNul(await this.#extension(size))
      // A global header, such as the commit's id by git archive, changes nothing that is unpacked.
      else if (kind === 'g') await this.#extension(size)
      else return this.#entry(header, kind, extension, size)
    }
  }

  /** The next bytes of the entry's content, none after its last. */
  async read(): Promise<Buffer> {
    if (this.#left === 0) return ZEROS.subarray(0, 0)
    const bytes = await this.#input.some(this.#left)
    if (bytes.length === 0) throw this.#truncated()
    this.#left -= bytes.length
    return bytes
  }

  #entry(header: Buffer, type: string, extension: Extension, fieldSize: number): TarEntry {
    const name = extension.path ?? nameOf(header)
    // Before there was a type for it, a directory was a file whose name ends with a slash.
    const kind = KINDS[type] === 'file' && name.endsWith('/') ? 'directory' : KINDS[type]
    if (!kind) {
      const what = REFUSED[type] ?? `of the unknown type ${quoteBytes(type)}`
      throw new BundleError(`the entry ${quoteBytes(name)} is ${what}`)
    }
    // Only files have content; of others some programs write a size nevertheless.
    const size = kind === 'file' ? (extension.size ?? fieldSize) : 0
    this.#name = name
    this.#left = size
    this.#padding = paddingOf(size)
    const target = kind.endsWith('link') ? (extension.linkpath ?? field(header, 157, 100)) : ''
    const mode = number(header, 100, 8)
    if (name === '' || (name + target).includes('\0') || Number.isNaN(mode + size)) throw this.#damaged()
    return { kind, name, target, mode: mode & 0o777, size }
  }

  /** The next header, or undefined where a block of zeros ends the archive. */
  async #header(): Promise<Buffer | undefined> {
    const first = this.#input.taken === 0
    const block = await this.#input.exactly(BLOCK)
    if (block.length === BLOCK && block.equals(ZEROS)) return this.#drain()
    if (block.length === BLOCK && number(block, 148, 8) === checksum(block)) return block
    if (first) throw new BundleError('not a tar archive, plain or compressed with gzip, zstd or xz')
    throw block.length < BLOCK ? this.#truncated() : this.#damaged()
  }

  /** Reads what follows the end, so that a decompressor can tell whether all of it is whole. */
  async #drain(): Promise<undefined> {
    while ((await this.#input.some(Infinity)).length > 0);
  }

  /** The content of a header for the next entry. */
  async #extension(size: number): Promise<string> {
    if (!(size <= EXTENSION_MAX)) throw this.#damaged()
    const bytes = await this.#input.exactly(size + paddingOf(size))
    if (bytes.length < size) throw this.#truncated()
    return bytes.toString('latin1', 0, size)
  }

  #truncated(): BundleError {
    const after = this.#name && `, in or after ${quoteBytes(this.#name)}`
    return new BundleError(`truncated: it ends at byte ${this.#input.taken}${after}`)
  }

  #damaged(): BundleError {
    const after = this.#name && `, after ${quoteBytes(this.#name)}`
    return new BundleError(`damaged: no valid header before byte ${this.#input.taken}${after}`)
  }
}

const paddingOf = (size: number): number => (BLOCK - (size % BLOCK)) % BLOCK

const untilNul = (text: string): string => text.split('\0', 1)[0]!

const field = (block: Buffer, at: number, length: number): string => {
  const end = block.indexOf(0, at)
  return block.toString('latin1', at, end < 0 ? at + length : Math.min(end, at + length))
}

/** The name in the fields of a header: those of ustar have a second one, for the directories in front. */
function nameOf(header: Buffer): string {
  const prefix = header.toString('latin1', 257, 263) === 'ustar\0' ? field(header, 345, 155) : ''
  return (prefix && prefix + '/') + field(header, 0, 100)
}

/** A number in octal digits or, where its first bit is set, as GNU writes large ones, in binary; NaN for what is none. */
function number(block: Buffer, at: number, length: number): number {
  if (block[at] === 0x80) {
    const value = Number('0x' + block.toString('hex', at + 1, at + length))
    return Number.isSafeInteger(value) ? value : NaN
  }
  const digits = field(block, at, length).trim()
  return /^[0-7]*$/.test(digits) ? parseInt(digits || '0', 8) : NaN
}

/** The sum of all bytes, those of the checksum itself counted as spaces. */
function checksum(block: Buffer): number {
  let sum = 8 * 0x20
  for (let at = 0; at < 148; at++) sum += block[at]!
  for (let at = 156; at < BLOCK; at++) sum += block[at]!
  return sum
}

/** The records of a pax header: `LENGTH KEY=VALUE` and a newline, where the length is of all of it. */
function parsePax(text: string): Extension {
  const extension: Extension = {}
  for (let at = 0; at < text.length;) {
    const [start, digits, key] = /^(\d{1,6}) ([^=]+)=/.exec(text.slice(at, at + 256)) ?? []
    const end = at + Number(digits)
    if (!start || !key || end <= at + start.length || text[end - 1] !== '\n') {
      throw new BundleError('damaged: a pax header that cannot be read')
    }
    const value = text.slice(at + start.length, end - 1)
    if (key === 'path') extension.path = value
    else if (key === 'linkpath') extension.linkpath = value
    else if (key === 'size') extension.size = /^\d{1,15}$/.test(value) ? Number(value) : NaN
    else if (key.startsWith('GNU.sparse.')) throw new BundleError('it holds a sparse file')
    at = end
  }
  return extension
}
