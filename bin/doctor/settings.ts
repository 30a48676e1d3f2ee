// Each setting that has a value, where it comes from, and whether it can be read.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { BOUNDS, ELSEWHERE, readBounds, readElsewhere } from '../../lib/base/elsewhere.ts'
import { Fatal, temporary } from '../../lib/base/exit.ts'
import { choice, count, duration, optional, setting, size } from '../../lib/base/settings.ts'
import { fine, wrong } from './finding.ts'
import type { Finding } from './finding.ts'

type Environment = NodeJS.ProcessEnv

type Reader = (name: string, env: Environment) => unknown

/** How the settings that are not any text are read; each throws Fatal. */
const READERS: Readonly<Record<string, Reader>> = {
  ...all(duration, 'POLL_INTERVAL', 'LOST_AFTER', 'SETTLE', 'SWEEP_AFTER', 'RETENTION', 'DRAIN'),
  ...all(duration, 'LINE_TIMEOUT', 'STEP_TIMEOUT', 'JOB_TIMEOUT', 'FAILED_JOB_WAITTIME', 'EXEC_KEEP'),
  ...all(count, 'EVENT_TRIES', 'LOST_TRIES', 'STEP_PROCS', 'ARTIFACTS_COUNT'),
  ...all(size, 'BUNDLE_MAX', 'DISK_MIN', 'LOG_MAX', 'ARTIFACTS_MAX'),
  WATCH: (name, env) => choice(name, ['auto', 'events', 'poll'], env),
  ISOLATE: (name, env) => choice(name, ['auto', 'pid', 'bwrap', 'no'], env),
  ...all((name, env) => readElsewhere({ [name]: env[name] }), ...ELSEWHERE),
  ...all((name, env) => readBounds({ CONTAINER_NETWORK: 'none', [name]: env[name] }), ...BOUNDS),
  STEP_NETWORK: (name, env) => choice(name, ['yes', 'no'], env),
  JOB_TMUX: (name, env) => choice(name, ['yes', 'no'], env),
}

function all(reader: Reader, ...names: string[]): Record<string, Reader> {
  return Object.fromEntries(names.map(name => [name, reader]))
}

export function checkSettings(env: Environment): Finding[] {
  const names = namesIn(readFileSync(join(setting('BASS_ROOT', env), 'lib/rc'), 'utf8'))
  const origins = originsOf(names, env)
  return names.flatMap(name => {
    const value = optional(name, env)
    if (value === undefined) return []
    const origin = origins.get(name)!
    try {
      READERS[name]?.(name, env)
    } catch (error) {
      if (!(error instanceof Fatal)) throw error
      return wrong('setting', name, `${error.message}; it is from ${origin}`, `change it in ${origin}`)
    }
    return fine('setting', name, `${isSecret(name) ? '***' : value} (${origin})`)
  })
}

const isSecret = (name: string) => /TOKEN|PASS|SECRET$|KEY/.test(name)

/** The settings that the rc exports, in its order. Pure. */
export function namesIn(rc: string): string[] {
  const exports = rc.split('\n').filter(line => /^[^#]*\bexport /.test(line))
  const names = exports.flatMap(line =>
    [...line.replace(/"[^"]*"/g, '').matchAll(/\b[A-Z][A-Z_]+\b/g)].map(found => found[0]),
  )
  return [...new Set(names)]
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

function originsOf(names: readonly string[], env: Environment): Map<string, string> {
  const { BASS_RC = '', SPOOL = '' } = env
  const { status, stdout, error } = spawnSync('sh', ['-c', ASK, 'sh', ...names], {
    env: { ...env, BASS_RC, FOUND_RC: SPOOL === '' ? '' : `${SPOOL}/conf/rc` },
    encoding: 'utf8',
  })
  if (status !== 0) throw temporary("read the settings with 'sh'", error ?? 'it failed')
  const values = stdout.split('\0')
  return new Map(
    names.map((name, i) => {
      const [byFile, byDefault] = values.slice(2 * i)
      const origin = env[name] !== byFile ? 'the environment' : byFile === byDefault ? 'default' : BASS_RC
      return [name, name === 'BASS_RC' && BASS_RC === `${SPOOL}/conf/rc` ? 'by SPOOL' : origin]
    }),
  )
}
