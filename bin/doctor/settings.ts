// Each setting that has a value, where it comes from, and whether it can be read.

import { temporary } from '../../lib/base/exit.ts'
import { optional } from '../../lib/base/settings.ts'
import { failureOf, runSync } from '../../lib/system/run.ts'
import { fine, wrong } from './finding.ts'
import type { Finding } from './finding.ts'
import { faultOf, isSecret } from './values.ts'

export function checkSettings(names: readonly string[], env: NodeJS.ProcessEnv): Finding[] {
  const origins = originsOf(names, env)
  return names.flatMap(name => {
    const value = optional(name, env)
    if (value === undefined) return []
    const origin = origins.get(name)!
    const fault = faultOf(name, env)
    return fault === undefined
      ? fine('setting', name, `${isSecret(name) ? '***' : value} (${origin})`)
      : wrong('setting', name, `${fault}; it is from ${origin}`, `change it in ${origin}`)
  })
}

/**
 * For each name, its value without the environment: from the settings file, then from the rc alone. A file
 * found through SPOOL does not say where SPOOL itself comes from.
 */
const ASK = `
for name; do
    for rc in "$BASS_RC" /dev/null; do
        (
            BASS_RC=$rc
            unset "$name"
            [ "$name" != SPOOL ] || unset TASKS JOBS REVS
            if [ "$rc" = "$FOUND_RC" ]; then unset BASS_RC; fi
            . "$BASS_ROOT/lib/rc" >/dev/null 2>&1
            eval "printf '%s\\0' \\"\\\${$name-}\\""
        )
    done
done`

function originsOf(names: readonly string[], env: NodeJS.ProcessEnv): Map<string, string> {
  const { BASS_RC = '', SPOOL = '' } = env
  const asked = runSync(['sh', '-c', ASK, 'sh', ...names], {
    env: { ...env, BASS_RC, FOUND_RC: SPOOL === '' ? '' : `${SPOOL}/conf/rc` },
  })
  if (asked.code !== 0) throw temporary("read the settings with 'sh'", failureOf(asked))
  const values = asked.stdout.split('\0')
  return new Map(
    names.map((name, i) => {
      const [byFile, byDefault] = values.slice(2 * i)
      const origin = env[name] !== byFile ? 'the environment' : byFile === byDefault ? 'default' : BASS_RC
      return [name, name === 'BASS_RC' && BASS_RC === `${SPOOL}/conf/rc` ? 'by SPOOL' : origin]
    }),
  )
}
