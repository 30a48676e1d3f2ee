// Looks at the options of a command line before they are parsed: whether the command has them. Pure.

import { allOptions } from './description.ts'
import type { Description } from './description.ts'
import { nearest } from './nearest.ts'

/** What is wrong with an option among the arguments, or undefined. */
export function oddOption(description: Description, argv: readonly string[]): string | undefined {
  const options = allOptions(description)
  const end = argv.indexOf('--')
  for (const arg of end === -1 ? argv : argv.slice(0, end)) {
    const odd = arg.startsWith('--') ? oddWord(options, arg.slice(2)) : oddLetter(options, arg)
    if (odd !== undefined) return odd
  }
  return undefined
}

type Known = ReturnType<typeof allOptions>

function oddWord(options: Known, word: string): string | undefined {
  const [name = '', ...value] = word.split('=')
  const option = Object.hasOwn(options, name) ? options[name] : undefined
  if (option === undefined) {
    const meant = nearest(name, Object.keys(options))
    return `there is no option '--${name}'${meant === undefined ? '' : `; did you mean '--${meant}'?`}`
  }
  return option.type === 'boolean' && value.length > 0 ? `'--${name}' takes no value` : undefined
}

/** `-fn5` is two letters, and the value of the second. A number may be the value of what stands before it. */
function oddLetter(options: Known, arg: string): string | undefined {
  if (!/^-[^\d]/.test(arg)) return undefined
  for (const letter of arg.slice(1)) {
    const option = Object.values(options).find(({ alias }) => alias === letter)
    if (option === undefined) return `there is no option '-${letter}'`
    if (option.type !== 'boolean') return undefined
  }
  return undefined
}
