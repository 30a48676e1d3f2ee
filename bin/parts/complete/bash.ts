// The completion script for bash. Pure.

import type { Words } from './words.ts'

const OPERANDS = {
  tasks: 'words=$(bass completion tasks 2>/dev/null | cut -d: -f1)',
  projects: 'words=$(bass completion projects 2>/dev/null)',
  remotes: 'words=$(git remote 2>/dev/null)',
  commands: 'at=$((at + 1)); _bass_jci; return',
  files: 'COMPREPLY=($(compgen -f -- "$cur")); return',
}

const cases = (verbs: readonly Words[], body: (verb: Words) => string) =>
  verbs.map(verb => `            ${verb.name}) ${body(verb)} ;;`).join('\n')

const operandsOf = ({ operands }: Words): string =>
  typeof operands === 'string' ? OPERANDS[operands] : `words='${operands.join(' ')}'`

/** A function that completes what follows word number $at. */
function completing(name: string, verbs: readonly Words[], more: string): string {
  const names = verbs.map(verb => verb.name).join(' ')
  return `${name}() {
    local cur=\${COMP_WORDS[COMP_CWORD]} verb=\${COMP_WORDS[at + 1]} words=
    if [ "$COMP_CWORD" -eq $((at + 1)) ]; then
        words='${names} ${more}'
    else
        case $cur in
        -*)
            case $verb in
${cases(verbs, verb => `words='${verb.options.map(([flag]) => flag).join(' ')}'`)}
            esac ;;
        *)
            case $verb in
${cases(verbs, operandsOf)}
            help) words='${names}' ;;
            esac ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
`
}

/** Completes `bass`, `git-jci` and, where git's own completion is loaded, `git jci`. */
export const bash = (verbs: readonly Words[], jci: readonly Words[]): string =>
  `${completing('_bass_verbs', verbs, 'help')}${completing('_bass_jci', jci, 'help version')}
_bass() { local at=0; _bass_verbs; }
_git_jci() {
    local at=\${__git_cmd_idx:-0}
    _bass_jci
    [ "$at" -eq 0 ] || COMPREPLY=("\${COMPREPLY[@]/%/ }")
}
complete -F _bass bass
complete -F _git_jci git-jci
`
