// Repositories to measure with: always the same files, so that figures of two runs are of the same work.

import { createHash } from 'node:crypto'

/** `bytes` of text that looks like code to a compressor: words, repeated and not. Pure. */
export function text(seed: string, bytes: number): string {
  const lines: string[] = []
  for (let length = 0, i = 0; length < bytes; i++) {
    const hash = createHash('sha256').update(`${seed} ${i}`).digest('hex')
    const line = `  const value_${hash.slice(0, 6)} = compute(${hash.slice(6, 20)}, 'some text ${i}')`
    lines.push(line)
    length += line.length + 1
  }
  return lines.join('\n').slice(0, bytes - 1) + '\n'
}

/** `count` files of `bytes` each, in directories. */
export function files(count: number, bytes: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`d${i % 7}/e${i % 31}/file-${i}.ts`, text(String(i), bytes)]),
  )
}

/** With `changed.txt` and the step these are 67 files. */
export const smallCode = (): Record<string, string> => files(65, 4000)

/** 1,954 files, 20 MB. */
export const bigCode = (): Record<string, string> => files(1952, 10_240)

/** 10 kB. */
export const tinyCode = (): Record<string, string> => files(5, 2000)
