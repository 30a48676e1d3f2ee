// Secrets: from the environment, or from a file that only the program that needs them has to be able to read.

import { readFileSync } from 'node:fs'

import { lasting, quote } from '../base/exit.ts'
import { optional } from '../base/settings.ts'

/** Returns the value of NAME, or the content of the file that NAME_FILE names; undefined if neither is set. */
export function secret(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const path = optional(`${name}_FILE`, env)
  if (path === undefined) return optional(name, env)
  try {
    return readFileSync(path, 'utf8').trimEnd()
  } catch (error) {
    throw lasting(`read the file ${quote(path)} of ${name}_FILE`, error)
  }
}
