// One block of S2: the length of its content as a varint, then literals and copies of what came before. Pure.

/**
 * The content of a block, or undefined if it is not one, or of more than `max` bytes. Reads all kinds: literals, copies
 * with offsets of 11, 16 and 32 bits, and S2's own repeats of the last offset.
 */
export function decodeBlock(block: Buffer, max: number): Buffer | undefined {
  const [size, start] = readVarint(block)
  if (size > max) return undefined
  const out = Buffer.allocUnsafe(size)
  const end = block.length
  let [s, d, offset] = [start, 0, 0]
  while (s < end) {
    const tag = block[s]!
    let length: number
    if ((tag & 3) === 0) {
      length = tag >> 2
      const more = length - 59
      s++
      if (more > 0) {
        if (s + more > end) return undefined
        length = block.readUIntLE(s, more)
        s += more
      }
      length++
      if (length > size - d || length > end - s) return undefined
      block.copy(out, d, s, s + length)
      s += length
      d += length
      continue
    }
    if ((tag & 3) === 1) {
      if (s + 2 > end) return undefined
      const to = ((tag & 0xe0) << 3) | block[s + 1]!
      length = (tag >> 2) & 7
      s += 2
      if (to > 0) offset = to
      else if (length > 4) {
        // A repeat whose length follows in one, two or three bytes.
        const more = length - 4
        if (s + more > end) return undefined
        length = block.readUIntLE(s, more) + [4, 256, 65_536][more - 1]!
        s += more
      }
      length += 4
    } else {
      const bytes = (tag & 3) === 2 ? 2 : 4
      if (s + 1 + bytes > end) return undefined
      offset = block.readUIntLE(s + 1, bytes)
      length = 1 + (tag >> 2)
      s += 1 + bytes
    }
    if (offset === 0 || offset > d || length > size - d) return undefined
    if (offset >= length) out.copyWithin(d, d - offset, d - offset + length)
    else if (offset === 1) out.fill(out[d - 1]!, d, d + length)
    else for (let i = 0; i < length; i++) out[d + i] = out[d + i - offset]!
    d += length
  }
  return d === size ? out : undefined
}

/** A number and where it ends; infinite where it is none. */
function readVarint(bytes: Buffer): [value: number, end: number] {
  let value = 0
  for (let i = 0; i < 5 && i < bytes.length; i++) {
    value += (bytes[i]! & 0x7f) * 2 ** (7 * i)
    if (bytes[i]! < 0x80) return [value, i + 1]
  }
  return [Infinity, 0]
}

/** The most bytes that `encodeBlock` writes for so many. */
export const encodedLength = (length: number): number => 16 + length + Math.ceil(length / 6)

const HASH_BITS = 14
const table = new Int32Array(1 << HASH_BITS)

/**
 * Writes the block of `content` at `at` and returns where it ends. It looks for matches as Snappy does, quickly and not far,
 * and steps faster the longer it finds none. Blocks are at most 16 MiB.
 */
export function encodeBlock(content: Buffer, to: Buffer, at: number): number {
  let d = writeVarint(content.length, to, at)
  table.fill(-1)
  const { length } = content
  let [literal, s, repeat] = [0, 0, 0]
  for (let misses = 32; s + 8 < length;) {
    const hash = hashAt(content, s)
    const candidate = table[hash]!
    table[hash] = s
    if (candidate < 0 || !sameFour(content, candidate, s)) {
      s += misses++ >> 5
      continue
    }
    misses = 32
    let end = s + 4
    for (let from = candidate + 4; end < length && content[from] === content[end];) {
      from++
      end++
    }
    d = writeLiteral(content, literal, s, to, d)
    const offset = s - candidate
    d = offset === repeat ? writeRepeat(end - s, to, d) : writeCopy(offset, end - s, to, d)
    repeat = offset
    s = end
    literal = s
  }
  return writeLiteral(content, literal, length, to, d)
}

const hashAt = (b: Buffer, s: number): number =>
  Math.imul(b[s]! | (b[s + 1]! << 8) | (b[s + 2]! << 16) | (b[s + 3]! << 24), 0x9e3779b1) >>> (32 - HASH_BITS)

const sameFour = (b: Buffer, i: number, j: number): boolean =>
  b[i] === b[j] && b[i + 1] === b[j + 1] && b[i + 2] === b[j + 2] && b[i + 3] === b[j + 3]

function writeVarint(value: number, to: Buffer, at: number): number {
  for (; value > 0x7f; value >>>= 7) to[at++] = (value & 0x7f) | 0x80
  to[at] = value
  return at + 1
}

function writeLiteral(from: Buffer, start: number, end: number, to: Buffer, at: number): number {
  const n = end - start - 1
  if (n < 0) return at
  if (n < 60) to[at++] = n << 2
  else {
    const bytes = n < 1 << 8 ? 1 : n < 1 << 16 ? 2 : 3
    to[at] = (59 + bytes) << 2
    to.writeUIntLE(n, at + 1, bytes)
    at += 1 + bytes
  }
  from.copy(to, at, start, end)
  return at + n + 1
}

/** The first copy of at most 64 bytes carries the offset, the rest repeats it. */
function writeCopy(offset: number, length: number, to: Buffer, at: number): number {
  if (offset < 1 << 11 && length < 12) {
    to[at] = ((offset >> 8) << 5) | ((length - 4) << 2) | 1
    to[at + 1] = offset & 0xff
    return at + 2
  }
  // The rest must be long enough for a repeat.
  const first = length <= 64 ? length : 60
  const bytes = offset < 1 << 16 ? 2 : 4
  to[at] = ((first - 1) << 2) | (bytes === 2 ? 2 : 3)
  to.writeUIntLE(offset, at + 1, bytes)
  at += 1 + bytes
  return first === length ? at : writeRepeat(length - first, to, at)
}

/** A copy of four bytes or more from as far back as the last one. */
function writeRepeat(length: number, to: Buffer, at: number): number {
  const n = length - 4
  if (n <= 4) {
    to[at] = (n << 2) | 1
    to[at + 1] = 0
    return at + 2
  }
  const [bytes, base] = n < 4 + 256 ? [1, 4] : n < 256 + 65_536 ? [2, 256] : [3, 65_536]
  to[at] = ((4 + bytes) << 2) | 1
  to[at + 1] = 0
  to.writeUIntLE(n - base, at + 2, bytes)
  return at + 2 + bytes
}
