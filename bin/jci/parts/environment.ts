// The environment of whoever called us, for scripts of theirs: without the settings that our launcher has filled in.

import { setting } from '../../../lib/base/settings.ts'
import { runSync } from '../../../lib/system/run.ts'

/** Kept in any case: who had no locale is no worse off with one. */
const VARIABLES_KEPT = new Set(['PATH', 'HOME', 'LANG', 'PWD', 'OLDPWD', 'SHLVL', '_', 'TMPDIR'])

/** `env` without what lib/rc gives where nothing is set. */
export function inheritedEnvironment(env = process.env): NodeJS.ProcessEnv {
  const root = setting('BASS_ROOT', env)
  const { PATH, HOME, TMPDIR } = env
  const { stdout } = runSync(['sh', '-c', '. "$BASS_ROOT/lib/rc" && exec env -0'], {
    env: { PATH, HOME, BASS_ROOT: root, ...(TMPDIR === undefined ? {} : { TMPDIR }) },
  })
  const given = new Set(
    stdout.split('\0').filter(entry => !VARIABLES_KEPT.has(entry.slice(0, entry.indexOf('=')))),
  )
  return Object.fromEntries(
    Object.entries(env).filter(([name, value]) => !given.has(`${name}=${value ?? ''}`)),
  )
}
