// A steps archive of one step: a script of sh. Pure. Text is bytes, each one character (latin1).

import { shellQuote } from '../../lib/base/shell-quote.ts'

/** The name of the step. */
const STEP = 'test'

const BLOCK = 512

/** Says something on standard output, or on standard error and fails. */
export const sayScript = (text: string, failed: boolean): string =>
  ['#!/bin/sh', `echo ${shellQuote(text)}${failed ? ' >&2' : ''}`, `exit ${failed ? 1 : 0}`, ''].join('\n')

/** The tar archive with this script as its only step. It says nothing of when or by whom it was made. */
export function oneStep(script: string): Buffer {
  const content = Buffer.from(script, 'latin1')
  const padded = Math.ceil(content.length / BLOCK) * BLOCK
  // Two blocks of zeros end it.
  const tar = Buffer.alloc(BLOCK + padded + 2 * BLOCK)
  const octal = (value: number, length: number) => value.toString(8).padStart(length - 1, '0') + '\0'
  tar.write(STEP, 0)
  tar.write(octal(0o755, 8) + octal(0, 8) + octal(0, 8) + octal(content.length, 12) + octal(0, 12), 100)
  // The checksum counts its own field as spaces.
  tar.write(' '.repeat(8) + '0', 148)
  tar.write('ustar\0' + '00', 257)
  const sum = tar.subarray(0, BLOCK).reduce((sum, byte) => sum + byte, 0)
  tar.write(sum.toString(8).padStart(6, '0') + '\0 ', 148)
  content.copy(tar, BLOCK)
  return tar
}
