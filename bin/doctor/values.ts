// How each setting that is not any text is read, to try its value.

import { BOUNDS, ELSEWHERE, readBounds, readElsewhere } from '../../lib/base/elsewhere.ts'
import { Fatal, lasting, quote } from '../../lib/base/exit.ts'
import { address, choice, count, duration, listenAt, setting, size, words } from '../../lib/base/settings.ts'
import { networks } from '../../lib/base/networks.ts'
import { TRUSTS } from '../../lib/forge/open.ts'
import { forgeOf } from '../../lib/forge/parse-forge.ts'
import { isPart, isTarget } from '../../lib/spool/task-name.ts'
import { findProgram } from '../../lib/system/program.ts'
import { lookUpUser } from '../../lib/system/user.ts'

type Environment = NodeJS.ProcessEnv
type Reader = (name: string, env: Environment) => unknown

const isDatabase = (text: string): boolean => /^postgres(?:ql)?:/.test(text) && URL.canParse(text)
const isVariable = (word: string): boolean => /^[A-Za-z_]\w*$/.test(word)
const isLong = (text: string): boolean => text.length >= 16

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
  ...all(
    count,
    'EVENT_TRIES',
    'LOST_TRIES',
    'STEP_PROCS',
    'ARTIFACTS_COUNT',
    'CODE_GIT',
    'JCI_MAX_JOBS',
    'JCI_PIDS',
  ),
  ...all(size, 'BUNDLE_MAX', 'DISK_MIN', 'LOG_MAX', 'ARTIFACTS_MAX'),
  ...all(oneOf('yes', 'no'), 'LFS', 'SUBMODULES', 'STEP_NETWORK', 'JOB_TMUX', 'NOTIFY_REFS'),
  ...all(listenAt, 'REPORTER_LISTEN', 'FARMER_LISTEN', 'JCI_LISTEN'),
  ...all((name, env) => readElsewhere({ [name]: env[name] }), ...ELSEWHERE),
  ...all((name, env) => readBounds({ CONTAINER_NETWORK: 'none', [name]: env[name] }), ...BOUNDS),
  WATCH: oneOf('auto', 'events', 'poll'),
  ISOLATE: oneOf('auto', 'pid', 'bwrap', 'no'),
  FORGE_TRUST: oneOf(...TRUSTS),
  CLEAN: oneOf('ignored', 'all'),
  SUPERSEDE: oneOf('changes', 'all', 'no'),
  JCI_CREDENTIAL: oneOf('proxy', 'token'),
  ...all(address, 'REPORTER_URL', 'FARMER_URL'),
  ...all(each(isVariable, 'no name of a variable'), 'STEP_ENV', 'SECRETS'),
  ...all(program, 'COMPRESSOR', 'CONTAINER'),
  S3_ENDPOINT: whole(text => URL.canParse(text), 'no address'),
  DATABASE_URL: whole(isDatabase, 'no address such as postgres://USER@HOST/NAME', '***'),
  REPORTER_TRUSTED: networks,
  REPORTER_TOKEN: whole(isLong, 'shorter than 16 characters', '***'),
  FORGE: (_, env) => forgeOf(env),
  ARCHS: each(isTarget, 'neither ARCH nor ARCH:HOST'),
  ARCH: whole(isPart, 'no name of letters, digits and ._+~@-'),
  HOST: whole(isPart, 'no name of letters, digits and ._+~@-'),
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

/** `shown` stands in the message for a value that nobody may see. */
function whole(isGood: (text: string) => boolean, fault: string, shown?: string): Reader {
  return (name, env) => {
    const text = setting(name, env)
    if (!isGood(text)) throw lasting(`read the setting ${name}`, `${quote(shown ?? text)} is ${fault}`)
  }
}

/** A command: its first word is a program of this host. */
function program(name: string, env: Environment): void {
  const [word = ''] = words(name, env)
  if (findProgram(word, env) === undefined)
    throw lasting(`read the setting ${name}`, `there is no program ${quote(word)} on this host`)
}

function user(name: string, env: Environment): void {
  if (lookUpUser(setting(name, env))) return
  throw lasting(`read the setting ${name}`, `there is no user ${quote(setting(name, env))} on this host`)
}
