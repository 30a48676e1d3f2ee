// How a command describes itself: what help, manual pages and completion are made of. Pure.

export interface Option {
  /** A list is a string that may be given several times. */
  readonly type: 'boolean' | 'string' | 'list'
  readonly about: string
  /** One letter. */
  readonly alias?: string
  /** The placeholder for a string's value in the help: `DURATION`. */
  readonly value?: string
}

export interface Description<O extends Readonly<Record<string, Option>> = Readonly<Record<string, Option>>> {
  /** As it is typed: `task-maker`, `bass status`. */
  readonly name: string
  /** The arguments: `[--once]`. */
  readonly usage: string
  /** How many arguments there may be besides options, least and most. */
  readonly operands: readonly [number, number]
  /** Describes the command: the first line is one sentence, the rest gives details. At most 100 columns. */
  readonly about: string
  readonly options?: O
  /** The settings it reads, each with what it is for. */
  readonly environment?: Readonly<Record<string, string>>
  /** Exit codes beyond those all commands share. */
  readonly exits?: Readonly<Record<string, string>>
  /** True if `exits` has all the codes there are. */
  readonly allExits?: boolean
}

/** The exit codes of all commands. */
const SHARED_EXITS = {
  '0': 'done',
  '100': 'wrong usage or a lasting error: do not retry',
  '111': 'the system failed: retry later',
}

/** The options of all commands. */
const COMMON = {
  help: { type: 'boolean', about: 'show this', alias: 'h' },
  man: { type: 'boolean', about: "print the manual page, for 'man -l -'" },
  version: { type: 'boolean', about: 'show the version' },
} as const

/** Every exit code of a command. */
export const exitsOf = ({ exits, allExits }: Description): Readonly<Record<string, string>> =>
  allExits ? { ...exits } : { ...SHARED_EXITS, ...exits }

/** Every option of a command. */
export const allOptions = ({ options }: Description): Readonly<Record<string, Option>> => ({
  ...options,
  ...COMMON,
})

/** One screen of help, in lines of at most `columns` where that is possible. */
export function help(description: Description, columns = Infinity): string {
  const { name, usage, about, environment = {} } = description
  const flags = Object.entries(allOptions(description)).map(([flag, o]): [string, string] => [
    `${o.alias ? `-${o.alias}, ` : ''}--${flag}${o.type === 'boolean' ? '' : ` ${o.value ?? 'VALUE'}`}`,
    o.about,
  ])
  const parts = [
    `usage: ${name} ${usage}`.trimEnd(),
    about.trim(),
    table('options', flags),
    table('environment', Object.entries(environment)),
    table('exit codes', Object.entries(exitsOf(description))),
  ]
  return fill(parts.filter(part => part !== '').join('\n\n') + '\n', columns)
}

/**
 * Breaks the lines that are too long for a terminal: paragraphs are filled anew, and a row of a table goes on below its
 * second column. A word that is too long stays whole.
 */
export function fill(text: string, columns: number): string {
  const paragraphs = text.trimEnd().split('\n\n')
  const filled = paragraphs.map(paragraph => {
    const lines = paragraph.split('\n')
    if (lines.every(line => line.length <= columns)) return paragraph
    const isProse = !lines.some(line => line.startsWith(' '))
    if (isProse) return breakLine(lines.join(' '), columns, 0)
    return lines.map(line => breakLine(line, columns, secondColumn(line))).join('\n')
  })
  return filled.join('\n\n') + '\n'
}

/** Where the second column of a row begins; 0 where there is none. */
const secondColumn = (row: string): number => /^ *\S+(?: \S+)* {2,}/.exec(row)?.[0].length ?? 0

function breakLine(line: string, columns: number, indent: number): string {
  const [first = '', ...words] = line.slice(indent).split(' ')
  const lines = [first]
  for (const word of words) {
    const longer = `${lines.at(-1)!} ${word}`
    if (indent + longer.length > columns) lines.push(word)
    else lines[lines.length - 1] = longer
  }
  return line.slice(0, indent) + lines.join(`\n${' '.repeat(indent)}`)
}

function table(title: string, rows: [string, string][]): string {
  if (rows.length === 0) return ''
  const width = Math.min(24, Math.max(...rows.map(([left]) => left.length)))
  return [`${title}:`, ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)].join('\n')
}
