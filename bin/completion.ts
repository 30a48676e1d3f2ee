// bass completion: what bash and zsh need to complete its arguments, made of the same descriptions as the help.

import { command, usage } from '../lib/system/command.ts'
import type { Command } from '../lib/system/command.ts'
import { bash } from './parts/complete/bash.ts'
import { wordsOf } from './parts/complete/words.ts'
import type { Words } from './parts/complete/words.ts'
import { zsh } from './parts/complete/zsh.ts'
import { COMMANDS } from './jci/commands.ts'
import { mustList } from '../lib/system/listing.ts'
import { quote } from '../lib/base/exit.ts'
import { projectsOf } from '../lib/conf/project-settings.ts'
import { openSpool } from '../lib/spool/spool.ts'
import type { Spool } from '../lib/spool/spool.ts'
import type { TaskView } from '../lib/view/view.ts'
import { isRemote, openViews } from './views/open.ts'
import { parseTaskName } from '../lib/spool/task-name.ts'

/** How many tasks are offered. */
const OFFERED = 30

const description = {
  name: 'bass completion',
  usage: 'bash | zsh',
  operands: [1, 1],
  about: `Prints what makes the shell complete verbs, options, tasks and projects.

In ~/.bashrc: eval "$(bass completion bash)"; in ~/.zshrc, after compinit: eval "$(bass completion
zsh)". 'git jci' is completed as well, where the shell completes git. Numbers of tasks are offered
where SPOOL or FARMER_URL is set. 'bass completion tasks' and 'bass completion projects' are what
the shell then asks.`,
  environment: {
    SPOOL: 'the spool whose tasks are offered',
    FARMER_URL: 'without SPOOL: the farmer, or reporter, whose are',
  },
} as const

/** The description of a verb of `bass`. */
interface Verb {
  readonly about: string
  readonly load: () => Promise<{ readonly verb: Pick<Command, 'description'> }>
}

/** The verb, for the table of all verbs, which is handed to it because it is in that table itself. */
export const completionOf = (table: () => ReadonlyMap<string, Verb>): { verb: Command } => ({
  verb: command(description, ([word]) => main(word!, table)),
})

async function main(word: string, table: () => ReadonlyMap<string, Verb>): Promise<undefined> {
  switch (word) {
    case 'bash':
      process.stdout.write(await scripts(bash, table()))
      return
    case 'zsh':
      process.stdout.write(await scripts(zsh, table()))
      return
    case 'tasks':
      process.stdout.write(['last:the newest', ...(await offered())].join('\n') + '\n')
      return
    case 'projects':
      process.stdout.write((await projects()).join('\n') + '\n')
      return
    default:
      throw usage(description, `${quote(word)} is neither bash nor zsh`)
  }
}

type Script = (verbs: readonly Words[], jci: readonly Words[]) => string

const scripts = async (script: Script, verbs: ReadonlyMap<string, Verb>): Promise<string> =>
  script(
    (await readWords(verbs)).map(verb => (verb.name === 'jci' ? { ...verb, operands: 'commands' } : verb)),
    await readWords(COMMANDS),
  )

const readWords = (table: ReadonlyMap<string, Verb>): Promise<Words[]> =>
  Promise.all(
    [...table].map(async ([name, { about, load }]) => wordsOf(name, about, (await load()).verb.description)),
  )

/** The newest tasks as `NUM:NAME`, the colons of the name escaped for zsh's _describe. */
async function offered(): Promise<string[]> {
  const names = isRemote() ? (await remoteTasks()).map(({ name }) => name) : namesIn(openSpool())
  return [...new Set(names)]
    .map(parseTaskName)
    .filter(task => task !== undefined)
    .sort((a, b) => b.num - a.num)
    .slice(0, OFFERED)
    .map(task => `${task.num}:${task.name}`)
}

const namesIn = ({ tasks }: Spool): string[] => [tasks.cur, tasks.old].flatMap(mustList)

async function projects(): Promise<string[]> {
  if (!isRemote()) return projectsOf(openSpool())
  return [...new Set((await remoteTasks()).map(({ project }) => project))].sort()
}

/** The jobs that a farmer runs and has run lately. */
async function remoteTasks(): Promise<readonly TaskView[]> {
  const { running, waiting, recent } = await (await openViews()).status(undefined, OFFERED)
  return [...running, ...waiting, ...recent]
}
