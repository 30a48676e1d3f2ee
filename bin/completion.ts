// bass completion: what bash and zsh need to complete its arguments, made of the same descriptions as the help.

import { command, usage } from '../lib/system/command.ts'
import type { Command } from '../lib/system/command.ts'
import type { Description } from '../lib/base/description.ts'
import { mustList } from '../lib/system/listing.ts'
import { quote } from '../lib/base/exit.ts'
import { projectsOf } from '../lib/conf/project-settings.ts'
import { shellQuote } from '../lib/base/shell-quote.ts'
import { openSpool } from '../lib/spool/spool.ts'
import type { Spool } from '../lib/spool/spool.ts'
import { parseTaskName } from '../lib/spool/task-name.ts'

/** How many tasks are offered. */
const OFFERED = 30

const description = {
  name: 'bass completion',
  usage: 'bash | zsh',
  operands: [1, 1],
  about: `Prints what makes the shell complete verbs, options, tasks and projects.

In ~/.bashrc: eval "$(bass completion bash)"; in ~/.zshrc, after compinit: eval "$(bass completion
zsh)". Numbers of tasks are offered where SPOOL is set. 'bass completion tasks' and 'bass
completion projects' are what the shell then asks.`,
  environment: { SPOOL: 'the spool whose tasks are offered' },
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
      process.stdout.write(bash(await readWords(table())))
      return
    case 'zsh':
      process.stdout.write(zsh(await readWords(table())))
      return
    case 'tasks':
      process.stdout.write(['last:the newest', ...offered(openSpool())].join('\n') + '\n')
      return
    case 'projects':
      process.stdout.write(projectsOf(openSpool()).join('\n') + '\n')
      return
    default:
      throw usage(description, `${quote(word)} is neither bash nor zsh`)
  }
}

interface Words {
  readonly name: string
  readonly about: string
  readonly options: readonly (readonly [string, string])[]
  /** The kinds of its arguments. */
  readonly operands: 'tasks' | 'projects' | 'files'
}

const readWords = (table: ReadonlyMap<string, Verb>): Promise<Words[]> =>
  Promise.all(
    [...table].map(async ([name, { about, load }]) => wordsOf(name, about, (await load()).verb.description)),
  )

function wordsOf(name: string, about: string, { usage, options = {} }: Description): Words {
  const flags = Object.entries(options).map(([flag, { about }]) => [`--${flag}`, about] as const)
  const operands = /\bTASK\b/.test(usage) ? 'tasks' : /\bPROJECT\b/.test(usage) ? 'projects' : 'files'
  return { name, about, options: [...flags, ['--help', 'show what it does']], operands }
}

/** The newest tasks as `NUM:NAME`, the colons of the name escaped for zsh's _describe. */
function offered(spool: Spool): string[] {
  return [...new Set([spool.tasks.cur, spool.tasks.old].flatMap(mustList))]
    .map(parseTaskName)
    .filter(task => task !== undefined)
    .sort((a, b) => b.num - a.num)
    .slice(0, OFFERED)
    .map(task => `${task.num}:${task.name}`)
}

const cases = (verbs: readonly Words[], body: (verb: Words) => string) =>
  verbs.map(verb => `    ${verb.name}) ${body(verb)} ;;`).join('\n')

function bash(verbs: readonly Words[]): string {
  const operands = {
    tasks: 'words=$(bass completion tasks 2>/dev/null | cut -d: -f1)',
    projects: 'words=$(bass completion projects 2>/dev/null)',
    files: 'COMPREPLY=($(compgen -f -- "$cur")); return',
  }
  return `_bass() {
    local cur=\${COMP_WORDS[COMP_CWORD]} verb=\${COMP_WORDS[1]} words=
    if [ "$COMP_CWORD" -eq 1 ]; then
        words='${verbs.map(verb => verb.name).join(' ')} help'
    else
        case $cur in
        -*)
            case $verb in
${cases(verbs, verb => `words='${verb.options.map(([flag]) => flag).join(' ')}'`)}
            esac ;;
        *)
            case $verb in
${cases(verbs, verb => operands[verb.operands])}
            help) words='${verbs.map(verb => verb.name).join(' ')}' ;;
            esac ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _bass bass
`
}

function zsh(verbs: readonly Words[]): string {
  const operands = {
    tasks: 'found=(${(f)"$(bass completion tasks 2>/dev/null)"}); _describe task found',
    projects: 'found=(${(f)"$(bass completion projects 2>/dev/null)"}); _describe project found',
    files: '_files',
  }
  const described = (pairs: readonly (readonly [string, string])[]) =>
    pairs.map(([word, about]) => shellQuote(`${word}:${about}`)).join(' ')
  return `#compdef bass
_bass() {
    local -a found
    if (( CURRENT == 2 )); then
        found=(${described(verbs.map(verb => [verb.name, verb.about]))})
        _describe verb found
    elif [[ $words[CURRENT] == -* ]]; then
        case $words[2] in
${cases(verbs, verb => `found=(${described(verb.options)})`)}
        esac
        _describe -o option found
    else
        case $words[2] in
${cases(verbs, verb => operands[verb.operands])}
        esac
    fi
}
compdef _bass bass
`
}
