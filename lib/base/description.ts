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

/** One screen of help. */
export function help(description: Description): string {
  const { name, usage, about, environment = {} } = description
  const all: Record<string, Option> = {
    ...description.options,
    ...COMMON,
  }
  const flags = Object.entries(all).map(([flag, o]): [string, string] => [
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
  return parts.filter(part => part !== '').join('\n\n') + '\n'
}

function table(title: string, rows: [string, string][]): string {
  if (rows.length === 0) return ''
  const width = Math.min(24, Math.max(...rows.map(([left]) => left.length)))
  return [`${title}:`, ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`)].join('\n')
}
