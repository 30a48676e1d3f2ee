// The programs that BASS runs, and their versions.

import { optional, words } from '../../lib/base/settings.ts'
import { tryRunSync } from '../../lib/system/run.ts'
import { fine, wrong } from './finding.ts'
import type { Finding } from './finding.ts'

export function checkPrograms(env: NodeJS.ProcessEnv): Finding[] {
  return [checkNode(process.version), checkGit(env), checkTmux(env), checkCompressor(env)]
}

/** `version` as `v20.1.0`. */
export function checkNode(version: string): Finding {
  const text = version.slice(1)
  const [major, minor] = text.split('.').map(Number) as [number, number]
  return major > 20 || (major === 20 && minor >= 19)
    ? fine('program', 'node', text)
    : wrong('program', 'node', `${text} is too old`, 'install Node.js 20.19 or later')
}

function checkGit(env: NodeJS.ProcessEnv): Finding {
  const version = programVersion('git', ['--version'], env)
  if (version !== undefined) return fine('program', 'git', version)
  return optional('PROJ', env) === undefined
    ? fine('program', 'git', 'none here; only makers of tasks need it')
    : wrong('program', 'git', 'there is none, and a maker of tasks needs it', 'apt-get install git')
}

function checkTmux(env: NodeJS.ProcessEnv): Finding {
  const version = programVersion('tmux', ['-V'], env)
  if (version !== undefined) return fine('program', 'tmux', version)
  return optional('JOB_TMUX', env) === 'yes'
    ? wrong('program', 'tmux', 'there is none, and JOB_TMUX is yes', 'apt-get install tmux')
    : fine('program', 'tmux', 'none here; only JOB_TMUX=yes needs it')
}

function checkCompressor(env: NodeJS.ProcessEnv): Finding {
  const [program, ...args] = words('COMPRESSOR', env)
  const subject = `COMPRESSOR ${[program, ...args].join(' ')}`
  const tried = tryRunSync(words('COMPRESSOR', env), { env, input: 'some bytes' })
  if (tried?.code !== 0 || tried.stdout === '') {
    const fix = `apt-get install ${program ?? 'zstd'}, or unset COMPRESSOR`
    return wrong('program', subject, 'it does not compress', fix)
  }
  return fine('program', subject, programVersion(program!, ['--version'], env) ?? 'it says no version')
}

/** The first version number that a program prints; undefined if it cannot be run. */
export function programVersion(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): string | undefined {
  const asked = tryRunSync([program, ...args], { env })
  if (asked?.code !== 0) return undefined
  return /\d+(?:\.\w+)+/.exec(asked.stdout)?.[0] ?? 'there is one'
}
