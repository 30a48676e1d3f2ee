// The words that can be typed after a verb, from its description. Pure.

import type { Description } from '../../../lib/base/description.ts'

export interface Words {
  readonly name: string
  readonly about: string
  /** Each with what it is for. */
  readonly options: readonly (readonly [string, string])[]
  /** The kind of its arguments, or the words themselves. */
  readonly operands: 'tasks' | 'projects' | 'remotes' | 'commands' | 'files' | readonly string[]
}

export function wordsOf(name: string, about: string, { usage, options = {} }: Description): Words {
  const flags = Object.entries(options).map(([flag, { about }]) => [`--${flag}`, about] as const)
  return { name, about, options: [...flags, ['--help', 'show what it does']], operands: operandsOf(usage) }
}

function operandsOf(usage: string): Words['operands'] {
  // The word behind an option is its value.
  const operands = usage.replace(/\[--[^\]]*\]/g, '').trim()
  if (/^[a-z]+(?: \| [a-z]+)+$/.test(operands)) return operands.split(' | ')
  if (/\bTASK\b/.test(operands)) return 'tasks'
  if (/\bPROJECT\b/.test(operands)) return 'projects'
  return /\bREMOTE\b/.test(operands) ? 'remotes' : 'files'
}
