// bass: the command for people. It only finds the verb; each is a command of its own.

import { fill } from '../lib/base/description.ts'
import { runMain } from '../lib/system/command.ts'
import { columns } from '../lib/system/print.ts'
import { version } from '../lib/system/version.ts'
import { EXIT, lasting, quote } from '../lib/base/exit.ts'
import { nearest } from '../lib/base/nearest.ts'
import { GROUPS, VERBS } from './verbs.ts'
import type { Verb } from './verbs.ts'

export const bass = { description: { name: 'bass' }, main }

async function main(argv: string[]): Promise<number> {
  const [word, ...rest] = argv
  switch (word) {
    case undefined:
      return VERBS.has('status') ? start('status', []) : print(overview())
    case '-h':
    case '--help':
      return print(overview())
    case 'help':
      if (rest[0] === '--man')
        return rest[1] === undefined ? print(await manual()) : start(rest[1], ['--man'])
      return rest[0] === undefined ? print(overview()) : start(rest[0], ['--help'])
    case '--man':
      return print(await manual())
    case '--version':
      return print(`bass ${version()}\n`)
    default:
      return start(word, rest)
  }
}

async function start(word: string, argv: string[]): Promise<number> {
  const { verb } = await find(word).load()
  return verb.main(argv)
}

/** The manual page of bass itself, for `man -l` and packagers; each verb prints its own. */
async function manual(): Promise<string> {
  const { manualPage } = await import('../lib/base/man.ts')
  return manualPage(ITSELF, version())
}

const ITSELF = {
  name: 'bass',
  usage: 'VERB [ARGUMENT...]',
  operands: [0, 0] as const,
  about: `Continuous integration whose only queue is a directory.\n\n${[...VERBS]
    .map(([name, { about }]) => `bass ${name}: ${about}.`)
    .join('\n\n')}`,
}

function find(word: string): Verb {
  const verb = VERBS.get(word)
  if (verb) return verb
  const meant = nearest(word, [...VERBS.keys()])
  const hint = meant === undefined ? "'bass help' lists them" : `did you mean '${meant}'?`
  throw lasting(`run the verb ${quote(word)}`, `no such verb; ${hint}`)
}

function print(text: string): number {
  process.stdout.write(text)
  return EXIT.done
}

/** One screen: the verbs, by what one is about to do. */
function overview(): string {
  const width = Math.max(0, ...[...VERBS.keys()].map(name => name.length))
  const groups = Object.entries(GROUPS).map(([title, verbs]) =>
    [
      `${title}:`,
      ...Object.entries(verbs).map(([name, { about }]) => `  ${name.padEnd(width)}  ${about}`),
    ].join('\n'),
  )
  const how = "'bass help VERB' or 'bass VERB --help' says all about a verb; 'bass' alone is 'bass status'."
  return fill(['usage: bass VERB [ARGUMENT...]', ...groups, how].join('\n\n'), columns())
}

if (require.main === module) runMain(bass)
