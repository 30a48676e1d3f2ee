// The completion script for zsh. Pure.

import { shellQuote } from '../../../lib/base/shell-quote.ts'
import type { Words } from './words.ts'

const OPERANDS = {
  tasks: 'found=(${(f)"$(bass completion tasks 2>/dev/null)"}); _describe task found',
  projects: 'found=(${(f)"$(bass completion projects 2>/dev/null)"}); _describe project found',
  remotes: 'found=(${(f)"$(git remote 2>/dev/null)"}); _describe remote found',
  commands: 'shift words; (( CURRENT-- )); _git-jci',
  files: '_files',
}

const described = (pairs: readonly (readonly [string, string])[]) =>
  pairs.map(([word, about]) => shellQuote(`${word}:${about}`)).join(' ')

const cases = (verbs: readonly Words[], body: (verb: Words) => string) =>
  verbs.map(verb => `        ${verb.name}) ${body(verb)} ;;`).join('\n')

const operandsOf = ({ operands }: Words): string =>
  typeof operands === 'string' ? OPERANDS[operands] : `found=(${operands.join(' ')}); _describe word found`

function completing(name: string, verbs: readonly Words[]): string {
  return `${name}() {
    local -a found
    if (( CURRENT == 2 )); then
        found=(${described(verbs.map(verb => [verb.name, verb.about]))})
        _describe command found
    elif [[ $words[CURRENT] == -* ]]; then
        case $words[2] in
${cases(verbs, verb => `found=(${described(verb.options)})`)}
        esac
        _describe -o option found
    else
        case $words[2] in
${cases(verbs, operandsOf)}
        esac
    fi
}
`
}

/** Completes `bass`, `git-jci` and `git jci`, for which zsh's own completion of git calls `_git-jci`. */
export const zsh = (verbs: readonly Words[], jci: readonly Words[]): string => `#compdef bass git-jci
${completing('_bass', verbs)}${completing('_git-jci', jci)}compdef _bass bass
compdef _git-jci git-jci
`
