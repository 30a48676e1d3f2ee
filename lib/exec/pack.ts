// Packs files into a tar as others read it: ustar, with a pax header for what does not fit into its fields. Names are bytes,
// as strings of one character for each.

import { constants, lstatSync, readlinkSync } from 'node:fs'
import type { Stats } from 'node:fs'
import { open } from 'node:fs/promises'

import { ignoringENOENT, isErrno } from '../base/errno.ts'
import { toPath } from './listing.ts'

/** One file, directory or link to pack: where it is, and its name in the archive; both are bytes. */
export interface Item {
  readonly path: string
  readonly name: string
}

const BLOCK = 512
const CHUNK = 256 * 1024

/** The bytes of a tar. What is gone, or is neither file, directory nor link, is left out. */
export async function* tarOf(items: Iterable<Item>): AsyncGenerator<Buffer, void> {
  for (const { path, name } of items) {
    const stat = ignoringENOENT(() => lstatSync(toPath(path)))
    if (!stat) continue
    if (stat.isDirectory()) yield* header(name + '/', '5', stat, 0)
    else if (stat.isSymbolicLink()) {
      const target = ignoringENOENT(() => readlinkSync(toPath(path), 'latin1'))
      if (target !== undefined) yield* header(name, '2', stat, 0, target)
    } else if (stat.isFile()) yield* fileOf(path, name)
  }
  yield Buffer.alloc(2 * BLOCK)
}

async function* fileOf(path: string, name: string): AsyncGenerator<Buffer, void> {
  const file = await open(
    toPath(path),
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
  ).catch((error: unknown) => {
    // It has become something else since.
    if (isErrno(error, 'ENOENT', 'ELOOP', 'ENXIO')) return undefined
    throw error
  })
  if (!file) return
  try {
    const stat = await file.stat()
    if (!stat.isFile()) return
    yield* header(name, '0', stat, stat.size)
    let left = stat.size
    while (left > 0) {
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(Math.min(left, CHUNK)), 0)
      // One that was cut meanwhile has zeros there.
      const bytes = bytesRead === 0 ? Buffer.alloc(Math.min(left, CHUNK)) : buffer.subarray(0, bytesRead)
      left -= bytes.length
      yield bytes
    }
    const padding = -stat.size & (BLOCK - 1)
    if (padding > 0) yield Buffer.alloc(padding)
  } finally {
    await file.close()
  }
}

function* header(name: string, type: string, stat: Stats, size: number, target = ''): Generator<Buffer> {
  const records = [
    name.length > 100 ? record('path', name) : '',
    target.length > 100 ? record('linkpath', target) : '',
    size >= 8 ** 11 ? record('size', String(size)) : '',
  ].join('')
  if (records !== '') {
    yield block('pax', 'x', 0o644, records.length, 0, '')
    yield Buffer.concat([Buffer.from(records, 'latin1'), Buffer.alloc(-records.length & (BLOCK - 1))])
  }
  yield block(name, type, stat.mode & 0o7777, size, Math.max(0, Math.floor(stat.mtimeMs / 1000)), target)
}

/** `LENGTH KEY=VALUE`, where the length is of all of it. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length
  return `${length}${rest}`
}

function block(
  name: string,
  type: string,
  mode: number,
  size: number,
  mtime: number,
  target: string,
): Buffer {
  const bytes = Buffer.alloc(BLOCK)
  const octal = (value: number, at: number, width: number) =>
    bytes.write(
      value
        .toString(8)
        .padStart(width - 1, '0')
        .slice(-(width - 1)),
      at,
      'latin1',
    )
  bytes.write(name.slice(0, 100), 0, 'latin1')
  octal(mode, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(size % 8 ** 11, 124, 12)
  octal(mtime, 136, 12)
  bytes.write('        ', 148, 'latin1')
  bytes.write(type, 156, 'latin1')
  bytes.write(target.slice(0, 100), 157, 'latin1')
  bytes.write('ustar\x0000', 257, 'latin1')
  bytes.write(
    bytes
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0') + '\0 ',
    148,
    'latin1',
  )
  return bytes
}
