// What it is that the system calls "no such file" when a step is started: seldom the step itself.

import { closeSync, existsSync, readSync } from 'node:fs'

import { quote } from '../../../lib/base/exit.ts'
import { openPlainSync } from '../../../lib/system/plain.ts'

/** The longest first line that Linux reads, in bytes. */
const FIRST_LINE_MAX = 256

/** Returns why a script is not started in a directory; undefined where both are there, and the program of its first line. */
export function whatIsMissing(script: string, directory: string): string | undefined {
  if (!existsSync(directory)) return 'its directory is not there any more'
  const [line, program] = /^#![ \t]*([^ \t\n]+).*/.exec(headOf(script)) ?? []
  if (line === undefined || existsSync(program!)) return undefined
  const hint = line.endsWith('\r') ? '; its lines end with CR LF, as on Windows' : ''
  return `its first line names ${quote(program!.trimEnd())}, which is not there${hint}`
}

function headOf(path: string): string {
  const file = openPlainSync(path)
  if (!file) return ''
  try {
    const bytes = Buffer.alloc(FIRST_LINE_MAX)
    return bytes.toString('utf8', 0, readSync(file.fd, bytes))
  } finally {
    closeSync(file.fd)
  }
}
