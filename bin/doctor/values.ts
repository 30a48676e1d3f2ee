// How each setting that is not any text is read, to try its value.

import { BOUNDS, ELSEWHERE, readBounds, readElsewhere } from '../../lib/base/elsewhere.ts'
import { Fatal, lasting, quote } from '../../lib/base/exit.ts'
import { address, choice, count, duration, listenAt, setting, size, words } from '../../lib/base/settings.ts'
import { TRUSTS } from '../../lib/forge/open.ts'
import { forgeOf } from '../../lib/forge/parse-forge.ts'
import { isPart, isTarget } from '../../lib/spool/task-name.ts'
import { lookUpUser } from '../../lib/system/user.ts'

type Environment = NodeJS.ProcessEnv
type Reader = (name: string, env: Environment) => unknown

/** Each throws Fatal; of a setting that has a value. */
const READERS: Readonly<Record<string, Reader>> = {
  ...all(
    duration,
    'POLL_INTERVAL',
    'LOST_AFTER',
    'SETTLE',
    'SWEEP_AFTER',
    'RETENTION',
    'DRAIN',
    'FORGE_POLL',
  ),
  ...all(duration, 'LINE_TIMEOUT', 'STEP_TIMEOUT', 'JOB_TIMEOUT', 'FAILED_JOB_WAITTIME', 'EXEC_KEEP'),
  ...all(duration, 'JCI_JOB_TIMEOUT'),
  ...all(count, 'EVENT_TRIES', 'LOST_TRIES', 'STEP_PROCS', 'ARTIFACTS_COUNT', 'CODE_GIT', 'JCI_MAX_JOBS'),
  ...all(size, 'BUNDLE_MAX', 'DISK_MIN', 'LOG_MAX', 'ARTIFACTS_MAX'),
  ...all(oneOf('yes', 'no'), 'LFS', 'SUBMODULES', 'STEP_NETWORK', 'JOB_TMUX', 'NOTIFY_REFS'),
  ...all(listenAt, 'REPORTER_LISTEN', 'FARMER_LISTEN'),
  ...all((name, env) => readElsewhere({ [name]: env[name] }), ...ELSEWHERE),
  ...all((name, env) => readBounds({ CONTAINER_NETWORK: 'none', [name]: env[name] }), ...BOUNDS),
  WATCH: oneOf('auto', 'events', 'poll'),
  ISOLATE: oneOf('auto', 'pid', 'bwrap', 'no'),
  FORGE_TRUST: oneOf(...TRUSTS),
  CLEAN: oneOf('ignored', 'all'),
  SUPERSEDE: oneOf('changes', 'all', 'no'),
  JCI_CREDENTIAL: oneOf('proxy', 'token'),
  REPORTER_URL: address,
  FORGE: (_, env) => forgeOf(env),
  ARCHS: each(isTarget, 'neither ARCH nor ARCH:HOST'),
  ARCH: each(isPart, 'no name of letters, digits and ._+~@-'),
  HOST: each(isPart, 'no name of letters, digits and ._+~@-'),
  STEP_USER: user,
}

/** Returns the fault of a setting's value; undefined if it has no value, or one that can be read. */
export function faultOf(name: string, env: Environment): string | undefined {
  if (!env[name]) return undefined
  try {
    READERS[name]?.(name, env)
    return undefined
  } catch (error) {
    if (!(error instanceof Fatal)) throw error
    return error.message
  }
}

/** Values that nobody may see. */
export const isSecret = (name: string): boolean => /TOKEN|PASS|SECRET$|KEY/.test(name) && !/_FILE$/.test(name)

function all(reader: Reader, ...names: string[]): Record<string, Reader> {
  return Object.fromEntries(names.map(name => [name, reader]))
}

function oneOf(...among: string[]): Reader {
  return (name, env) => choice(name, among, env)
}

function each(isGood: (word: string) => boolean, fault: string): Reader {
  return (name, env) => {
    const odd = words(name, env).find(word => !isGood(word))
    if (odd !== undefined) throw lasting(`read the setting ${name}`, `${quote(odd)} is ${fault}`)
  }
}

function user(name: string, env: Environment): void {
  if (lookUpUser(setting(name, env))) return
  throw lasting(`read the setting ${name}`, `there is no user ${quote(setting(name, env))} on this host`)
}
