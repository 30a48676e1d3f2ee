// A command of BASS: how it describes itself, reads its arguments and ends. yargs is loaded only when an argument
// begins with `-`, because it doubles the start of a small program; help, manual pages and completion all come from
// the one description.

import { ROOT } from '../base/root.ts'
import type { Description, Option } from '../base/description.ts'
import { EXIT, Fatal, lasting, quote, temporary } from '../base/exit.ts'
import { version } from './version.ts'
import { oddOption } from '../base/known-options.ts'
import { closeInherited } from './descriptors.ts'
import { say, speakAs } from './log.ts'
import { columns, openOutput, print } from './print.ts'

export type Options<O> = {
  readonly [K in keyof O]: O[K] extends { type: 'boolean' }
    ? boolean
    : O[K] extends { type: 'list' }
      ? readonly string[]
      : string | undefined
}

type Main<O> = (operands: string[], options: Options<O>) => Promise<number | void> | number | void

export interface Command<O extends Readonly<Record<string, Option>> = Readonly<Record<string, Option>>> {
  readonly description: Description<O>
  /** Runs the command in this process: returns its exit code, prints on the standard streams, throws Fatal. */
  readonly main: (argv: string[]) => Promise<number>
}

/** Makes a command from its description and its `main`, which returns the exit code; undefined means 0. */
export function command<const O extends Readonly<Record<string, Option>>>(
  description: Description<O>,
  main: Main<O>,
): Command<O> {
  return {
    description,
    main: async argv => {
      const parsed = argv.some(arg => arg.startsWith('-'))
        ? await parse(description, argv)
        : plain(description, argv)
      if (typeof parsed === 'string') {
        print(parsed)
        return EXIT.done
      }
      return (await main(parsed.operands, parsed.options)) ?? EXIT.done
    },
  }
}

/** How long a program that has failed may take to end, in milliseconds: whatever keeps it then is not its work any more. */
const TO_END = 5000

/**
 * Ends the process with what the command answers, as soon as nothing is left to do. Whatever is thrown and nobody catches
 * ends it with one line, and so does having nothing left to wait for without an answer. For the last line of a command. `small`
 * says that it prints with `print` alone. `failure` is the one exit code of a program whose failures have not those of BASS.
 */
export function runMain(
  command: Pick<Command, 'main'> & { description: { name: string }; failure?: number },
  size: 'small' | 'any' = 'any',
): void {
  speakAs(command.description.name.replace(/ .*/, ''))
  if (size === 'any') {
    closeInherited()
    openOutput(command.failure)
  }
  const codeOf = (error: unknown) => {
    const code = failed(error)
    return command.failure ?? code
  }
  const end = (error: unknown) => process.exit(codeOf(error))
  process.on('uncaughtException', end).on('unhandledRejection', end)
  const onIdle = () => end(temporary('go on', 'there is nothing left to wait for'))
  process.on('beforeExit', onIdle)
  command
    .main(process.argv.slice(2))
    .then(
      code => {
        process.exitCode = code
      },
      (error: unknown) => {
        process.exitCode = codeOf(error)
        setTimeout(() => process.exit(), TO_END).unref()
      },
    )
    .finally(() => process.off('beforeExit', onIdle))
}

/**
 * Says why a program ends and answers its exit code. An error of the system names its call and is reason enough; any
 * other that nobody foresaw is a bug and says where it came from.
 */
export function failed(error: unknown): number {
  const fatal = error instanceof Fatal ? error : systemError(error)
  if (fatal) {
    say('fatal', fatal.message)
    return fatal.exitCode
  }
  say('fatal', `unable to go on: ${String(error)}${placeOf(error)}`)
  return EXIT.temporary
}

/** Where in our own code an error came from, or anywhere: ` at FUNCTION (FILE:LINE:COLUMN)`. */
function placeOf(error: unknown): string {
  const places = (error instanceof Error ? (error.stack ?? '') : '')
    .split('\n')
    .filter(line => /^ {4}at /.test(line))
  const place = places.find(line => line.includes(ROOT) && !line.includes('node_modules')) ?? places[0]
  return place === undefined ? '' : ` ${place.trim()}`
}

function systemError(error: unknown): Fatal | undefined {
  const { syscall, path } = error as NodeJS.ErrnoException
  if (!(error instanceof Error) || syscall === undefined) return undefined
  return temporary(`${syscall} ${path === undefined ? 'a file' : quote(path)}`, error)
}

export interface Parsed<O> {
  operands: string[]
  options: Options<O>
}

function plain<O extends Readonly<Record<string, Option>>>(
  description: Description<O>,
  argv: string[],
): Parsed<O> {
  const none = Object.entries(description.options ?? {}).map(([name, { type }]) => [
    name,
    type === 'boolean' ? false : type === 'list' ? [] : undefined,
  ])
  return { operands: checked(description, argv), options: Object.fromEntries(none) as Options<O> }
}

function checked(description: Description, operands: string[]): string[] {
  const [least, most] = description.operands
  if (operands.length < least) throw usage(description, 'an argument is missing')
  if (operands.length > most) throw usage(description, `'${operands[most]!}' is one argument too many`)
  // As of a variable that is not set. Only where arguments are the words of a command may one be empty.
  if (most !== Infinity && operands.includes('')) throw usage(description, 'an argument is empty')
  return operands
}

/** Wrong usage: one sentence, and where to read more. */
export function usage(description: Pick<Description, 'name' | 'usage'>, why: string): Fatal {
  return lasting(
    'understand the arguments',
    `${why}; usage: ${description.name} ${description.usage}`.trimEnd(),
  )
}

/** What yargs says of an option that lacks its value, and that alone, can be said better. */
function inOurWords(wrong: string): string {
  const name = /^Not enough arguments following: (.*)/.exec(wrong)?.[1]
  if (name === undefined) return wrong.split('\n')[0]!.replace(/^U/, 'u')
  return `${name.length === 1 ? '-' : '--'}${name} wants a value`
}

async function parse<O extends Readonly<Record<string, Option>>>(
  description: Description<O>,
  argv: string[],
): Promise<Parsed<O> | string> {
  const odd = oddOption(description, argv)
  if (odd !== undefined) throw usage(description, odd)
  const { default: yargs } = await import('yargs')
  let wrong: string | undefined
  const parser = yargs()
    .scriptName(description.name)
    .help(false)
    .version(false)
    .exitProcess(false)
    .showHelpOnFail(false)
    .locale('en')
    // Without these yargs makes 1000 of the name 1e3, an option `x` of `no-x`, and an object of `x.y`.
    .parserConfiguration({
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
    })
    .option('help', { type: 'boolean', alias: 'h' })
    .option('man', { type: 'boolean' })
    .option('version', { type: 'boolean' })
    .strictOptions()
    .fail((message, error) => {
      wrong ??= message || error.message
    })
  for (const [name, { type, alias }] of Object.entries(description.options ?? {})) {
    const takesValue = type !== 'boolean'
    parser.option(name, {
      type: takesValue ? 'string' : 'boolean',
      requiresArg: takesValue,
      ...(alias ? { alias } : {}),
    })
  }
  const args: Record<string, unknown> & { _: (string | number)[] } = await parser.parseAsync(argv)
  if (wrong !== undefined) throw usage(description, inOurWords(wrong))
  if (args['help'] === true) return (await import('../base/description.ts')).help(description, columns())
  if (args['man'] === true) return (await import('../base/man.ts')).manualPage(description, version())
  if (args['version'] === true) return `${description.name} ${version()}\n`
  const options = Object.entries(description.options ?? {}).map(([name, { type }]) => {
    const value = args[name]
    if (type === 'list') return [name, value === undefined ? [] : [value].flat()]
    if (Array.isArray(value)) throw usage(description, `--${name} is given twice`)
    if (value === '') throw usage(description, `--${name} is empty`)
    return [name, type === 'boolean' ? value === true : value]
  })
  return {
    operands: checked(description, args._.map(String)),
    options: Object.fromEntries(options) as Options<O>,
  }
}
