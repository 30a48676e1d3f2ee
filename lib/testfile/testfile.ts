// The file `Testfile` of a directory: lines `NAME: COMMAND`, comments, blank lines. Pure. Text may be decoded as UTF-8 or,
// to keep every byte, as latin1: only ASCII has a meaning here.

/** The name of the file. */
export const TESTFILE = 'Testfile'

/** Most bytes of a Testfile. A command is one argument of a program, of which Linux takes 128 KiB. */
export const TESTFILE_MAX = 64 * 1024

const NAME_MAX = 100

/** The command of one line. */
export interface TestLine {
  readonly name: string
  /** For `/bin/bash -eo pipefail -c`, in the directory of the file. */
  readonly command: string
}

/** A fault of a line, by its number from 1. */
export interface Fault {
  readonly line: number
  readonly why: string
}

/** The lines of a Testfile in their order, or everything that is wrong with it. */
export type Testfile =
  { readonly lines: readonly TestLine[] } | { readonly faults: readonly [Fault, ...Fault[]] }

export function parseTestfile(text: string): Testfile {
  if (text.length > TESTFILE_MAX)
    return { faults: [{ line: 1, why: `it is larger than ${TESTFILE_MAX} bytes` }] }
  if (/^(?:\ufeff|\xef\xbb\xbf)/.test(text))
    return { faults: [{ line: 1, why: 'it begins with a byte order mark; save it as UTF-8 without one' }] }
  const lines: TestLine[] = []
  const faults: Fault[] = []
  const seen = new Map<string, number>()
  for (const [i, whole] of text.split('\n').entries()) {
    const source = whole.endsWith('\r') ? whole.slice(0, -1) : whole
    if (/^[ \t]*(#|$)/.test(source)) continue
    const read = readLine(source, seen)
    if (typeof read === 'string') {
      faults.push({ line: i + 1, why: read })
      continue
    }
    seen.set(read.name, i + 1)
    lines.push(read)
  }
  const [first, ...others] = faults
  return first ? { faults: [first, ...others] } : { lines }
}

/** A line that is neither blank nor a comment, or why it cannot be read. */
function readLine(source: string, seen: ReadonlyMap<string, number>): TestLine | string {
  const colon = source.indexOf(':')
  if (colon < 0) return "it is not 'NAME: COMMAND'"
  const name = source.slice(0, colon)
  if (!/^[A-Za-z0-9_.-]+$/.test(name)) return 'the name is not made of letters, digits, _, - and . alone'
  if (name.length > NAME_MAX) return `the name is longer than ${NAME_MAX} characters`
  if (name === TESTFILE) return `the name ${TESTFILE} is that of the check of the file itself`
  const before = seen.get(name)
  if (before !== undefined) return `the name ${name} is that of line ${before} as well`
  const command = source.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '')
  if (command === '') return `${name} has no command`
  if (command.includes('\0')) return 'there is a NUL byte in the command'
  return { name, command }
}
