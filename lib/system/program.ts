// Where programs are.

import { accessSync, constants, realpathSync } from 'node:fs'
import { delimiter, join } from 'node:path'

import { lasting, quote } from '../base/exit.ts'
import { optional } from '../base/settings.ts'

/** The path of the program that PATH leads to; undefined if it leads to none. */
export function findProgram(
  name: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  const paths = (optional('PATH', env) ?? '').split(delimiter).map(directory => join(directory, name))
  return paths.find(path => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** The file itself of a program; throws a lasting Fatal if there is none. */
export function programFile(name: string): string {
  const path = findProgram(name)
  if (path === undefined) throw lasting(`find the program ${quote(name)}`, 'it is not in PATH')
  return realpathSync(path)
}
