// A small file that zstd has made, decompressed in this process: to start the program takes longer than its work. The
// library does not look at checksums, so that is done here. Whatever is large, odd or damaged is left to the program.

/** Bytes of a file that are decompressed here; beyond, a second processor serves better. */
export const ZSTD_IN_PROCESS_BYTES = 256 * 1024

/** How every frame begins. */
const MAGIC = 0xfd2fb528

/** Bytes of memory that a file may make us take: for its window, and for its content. */
const WINDOW_MAX = 8 * 1024 * 1024
const CONTENT_MAX = 16 * 1024 * 1024

/**
 * The content of a file that is one frame of zstd with a checksum, or undefined if it is anything else, or wrong.
 * The format is that of RFC 8878.
 */
export async function unzstd(file: Buffer): Promise<Buffer | undefined> {
  if (file.length < 12 || file.readUInt32LE() !== MAGIC || windowOf(file) > WINDOW_MAX || !hasChecksum(file))
    return undefined
  const [{ Decompress }, hashes] = await load()
  const hash = hashes.create64()
  const chunks: Buffer[] = []
  let room = CONTENT_MAX
  try {
    new Decompress(chunk => {
      room -= chunk.length
      if (room < 0) throw new RangeError('too large')
      hash.update(chunk)
      chunks.push(Buffer.from(chunk))
    }).push(narrow(file), true)
  } catch {
    // The program describes the fault better.
    return undefined
  }
  const sum = Number(hash.digest() & 0xffff_ffffn)
  return sum === file.readUInt32LE(file.length - 4) ? Buffer.concat(chunks) : undefined
}

const hasChecksum = (file: Buffer): boolean => (file[4]! & 0b100) !== 0

/** Bytes of memory that the header of a frame asks for: its window, or all of its content; infinite where it wants more. */
function windowOf(file: Buffer): number {
  const [descriptor, next] = [file[4]!, file[5]!]
  const [sizeBytes, isWhole, dictionary] = [descriptor >> 6, (descriptor & 0b100000) !== 0, descriptor & 0b11]
  if (dictionary !== 0) return Infinity
  if (!isWhole) return (1 + (next & 7) / 8) * 2 ** (10 + (next >> 3))
  return [256, 65_792, file.readUInt32LE(5), Infinity][sizeBytes]!
}

/** Bytes that a block of zstd can hold at most. */
const BLOCK_MAX = 128 * 1024

/**
 * The same frame with a smaller window, if all of it is one block: a compressor that reads a pipe asks for a window as
 * large as its level has, and to clear that memory takes longer than such a file.
 */
function narrow(file: Buffer): Buffer {
  const descriptor = file[4]!
  // The header is magic, descriptor and window; the size of the content and a dictionary are not given.
  const plain = (descriptor & 0b1110_0011) === 0
  const last = (file[6]! & 1) !== 0
  if (!plain || !last || windowOf(file) <= BLOCK_MAX) return file
  const narrowed = Buffer.from(file)
  narrowed[5] = WINDOW_OF_A_BLOCK
  return narrowed
}

/** A window of 128 KiB: 2 ** (10 + 7), in the upper five bits. */
const WINDOW_OF_A_BLOCK = 7 << 3

/** Loads what is needed, for a program that has time to do so before the first file comes. */
export const load = async () => Promise.all([import('fzstd'), (loaded ??= loadHash())])

let loaded: ReturnType<typeof loadHash> | undefined
const loadHash = async () => (await import('xxhash-wasm')).default()
