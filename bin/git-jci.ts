// git jci: results of runs as refs of the repository itself. It only finds the command; each is a module of its own.

import { EXIT, quote } from '../lib/base/exit.ts'
import { run, version } from '../lib/system/command.ts'
import type { Command } from '../lib/system/command.ts'
import { COMMANDS, DESCRIPTION, FULL_DESCRIPTION, overview } from './jci/commands.ts'
import { withOurCodes } from './jci/ours.ts'
import { nearest } from './parts/nearest.ts'

export const gitJci: Command = { description: DESCRIPTION, main: argv => withOurCodes(() => main(argv)) }

/** The same as a verb of `bass`. */
export const verb: Command = { ...gitJci, description: { ...DESCRIPTION, name: 'bass jci' } }

async function main([word, ...rest]: string[]): Promise<number> {
  switch (word) {
    case undefined:
      print(overview())
      return 1
    case 'help':
      return rest[0] === undefined ? print(overview()) : main([rest[0], '--help'])
    case '-h':
    case '--help':
      return print(overview())
    case '--man':
      return print((await import('../lib/base/man.ts')).manualPage(FULL_DESCRIPTION, version()))
    case 'version':
    case '-v':
    case '--version':
      return print(`git-jci ${version()}\n`)
  }
  const command = COMMANDS.get(word)
  if (command) return (await command.load()).verb.main(rest)
  const meant = nearest(word, [...COMMANDS.keys()])
  const hint = meant === undefined ? '' : `; did you mean '${meant}'?`
  process.stderr.write(`git-jci: fatal: unable to run ${quote(word)}: no such command${hint}\n${overview()}`)
  return 1
}

function print(text: string): number {
  process.stdout.write(text)
  return EXIT.done
}

if (require.main === module) run(gitJci)
