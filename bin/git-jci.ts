// git jci: results of runs as refs of the repository itself. It only finds the command; each is a module of its own, and what
// prints a few words loads nothing else.

import { print } from '../lib/system/print.ts'
import { version } from '../lib/system/version.ts'
import type { Command } from '../lib/system/command.ts'
import { COMMANDS, DESCRIPTION, FULL_DESCRIPTION, overview } from './jci/commands.ts'

export const gitJci: Command = { description: DESCRIPTION, main }

/** The exit codes of the other programs here are not those of a git command. */
const FAILURE = 1

/** The same as a verb of `bass`. */
export const verb: Command = { ...gitJci, description: { ...DESCRIPTION, name: 'bass jci' } }

async function main(argv: string[]): Promise<number> {
  const words = wordsFor(argv)
  if (words !== undefined) {
    print(words, FAILURE)
    return argv.length === 0 ? FAILURE : 0
  }
  const [word = '', ...rest] = argv[0] === 'help' ? [...argv.slice(1, 2), '--help'] : argv
  if (word === '--man') {
    print((await import('../lib/base/man.ts')).manualPage(FULL_DESCRIPTION, version()))
    return 0
  }
  const { failed } = await import('../lib/system/command.ts')
  try {
    const command = COMMANDS.get(word)
    return command ? await (await command.load()).verb.main(rest) : await unknown(word)
  } catch (error) {
    failed(error)
    return FAILURE
  }
}

/** The usage or the version; undefined if it takes more to answer. */
function wordsFor([word, next]: readonly string[]): string | undefined {
  if (word === undefined || word === '-h' || word === '--help') return overview()
  if (word === 'help' && [undefined, 'help', 'version'].includes(next)) return overview()
  return ['version', '-v', '--version'].includes(word) ? `git-jci ${version()}\n` : undefined
}

async function unknown(word: string): Promise<number> {
  const [{ nearest }, { quote }] = await Promise.all([
    import('../lib/base/nearest.ts'),
    import('../lib/base/exit.ts'),
  ])
  const meant = nearest(word, [...COMMANDS.keys()])
  const hint = meant === undefined ? '' : `; did you mean '${meant}'?`
  process.stderr.write(`git-jci: fatal: unable to run ${quote(word)}: no such command${hint}\n${overview()}`)
  return FAILURE
}

/** Runs it as a program, with all that a program of ours does at its start where it does more than print. */
async function runItself(argv: string[]): Promise<void> {
  if (wordsFor(argv) === undefined)
    (await import('../lib/system/command.ts')).runMain({ ...gitJci, failure: FAILURE })
  else process.exitCode = await main(argv)
}

if (require.main === module) void runItself(process.argv.slice(2))
