// The names of all settings, as lib/rc has them.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { setting } from '../base/settings.ts'

/** The settings that lib/rc exports, in its order. */
export const settingNames = (env = process.env): string[] =>
  namesIn(readFileSync(join(setting('BASS_ROOT', env), 'lib/rc'), 'utf8'))

/** The settings that the text of an rc exports. Pure. */
export function namesIn(rc: string): string[] {
  const exports = rc.split('\n').filter(line => /^[^#]*\bexport /.test(line))
  const names = exports.flatMap(line =>
    [...line.replace(/"[^"]*"/g, '').matchAll(/\b[A-Z][A-Z0-9_]+\b/g)].map(found => found[0]),
  )
  return [...new Set(names)]
}
