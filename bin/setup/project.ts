// A project of a spool: the directory of its events, its settings file, and the hook in its code repository.

import { readFileSync, realpathSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

import { git } from '../../lib/git/process.ts'
import { tolerating } from '../../lib/base/errno.ts'
import { lasting, quote } from '../../lib/base/exit.ts'
import { setting } from '../../lib/base/settings.ts'
import { shellQuote } from '../../lib/base/shell-quote.ts'
import { sourcedFrom } from '../../lib/conf/project-settings.ts'
import { projectFiles } from '../../lib/conf/sourced.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { makeDirectoryWithMode, makeFile } from './make.ts'

export interface NewProject {
  readonly name: string
  /** The git repository, an absolute path on this host. */
  readonly code: string
  /** The repository of its steps; undefined: the steps are in the code. */
  readonly steps: string | undefined
  /** The targets of its tasks: ARCH or ARCH:HOST, one or more. */
  readonly archs: readonly string[]
}

/** Makes what is missing of a project. Throws a lasting error if it is set up already and of something else. */
export function addProject(spool: Spool, project: NewProject): void {
  mustAgree(spool, project.name, { PROJ: project.code, STEPS: project.steps })
  for (const repository of [project.code, project.steps]) {
    if (repository !== undefined) git(repository, 'rev-parse', '--git-dir')
  }
  makeDirectoryWithMode(join(spool.revs, project.name))
  const conf = join(spool.root, 'conf', project.name)
  makeDirectoryWithMode(conf, 0o755, 0)
  makeFile(join(conf, 'rc'), settingsOf(project))
}

/**
 * Throws a lasting error if the project has a settings file that says otherwise. Of a setting that is undefined here
 * nothing is wanted.
 */
export function mustAgree(
  spool: Spool,
  name: string,
  wanted: Readonly<Record<string, string | undefined>>,
): void {
  const rc = projectFiles(spool.root).get(name)
  if (rc === undefined) return
  const standing = sourcedFrom(rc, Object.keys(wanted))
  for (const [setting, value] of Object.entries(wanted)) {
    const other = standing[setting]
    if (value === undefined || other === undefined || placeOf(other) === placeOf(value)) continue
    const why = `it has ${setting}=${shellQuote(other)}; give this one another name, or change ${quote(rc)}`
    throw lasting(`set up ${quote(name)} with ${quote(value)}`, why)
  }
}

/** Two paths may lead to one repository. */
const placeOf = (path: string) =>
  tolerating(['ENOENT', 'ENOTDIR', 'EACCES'], () => realpathSync(path)) ?? path

// The spool is where this file is, wherever a host has mounted it.
const settingsOf = ({ name, code, steps, archs }: NewProject) => `# shellcheck shell=sh disable=SC2034
# The settings of the project ${name}, for its task-maker; ../rc has those of the spool.
: "\${SPOOL:=\${BASS_RC%/conf/*/rc}}"
. "\${BASS_RC%/*/*}/rc"

PROJECT=${name}

# The git repository of the code, and that of the steps; without STEPS they are in the code, in .bass/.
PROJ=${shellQuote(code)}
${steps === undefined ? '#STEPS=' : `STEPS=${shellQuote(steps)}`}

# One task for each of these: ARCH, or ARCH:HOST.
ARCHS=${shellQuote(archs.join(' '))}
`

/** The commands that make pushes create events. */
export function hookCommands(spool: Spool, { name, code }: NewProject): string[] {
  return [
    `git -C ${shellQuote(code)} config bass.revs ${shellQuote(join(spool.revs, name))}`,
    `cp ${HOOK.map(file => shellQuote(ourHook(file))).join(' ')} ${shellQuote(hooksOf(code))}`,
  ]
}

/**
 * Installs the hook in the code repository. The hook is a copy, so it works on when this tree moves. Existing
 * settings and hooks are left alone; if one is in the way, a lasting error says so.
 */
export function installHook(spool: Spool, { name, code }: NewProject): void {
  const stop = (why: string) => lasting(`install the hook in ${quote(code)}`, why)
  const revs = join(spool.revs, name)
  const standing = git(code, 'config', '--default', '', 'bass.revs')
  if (standing !== '' && standing !== revs)
    throw stop(`its bass.revs is ${quote(standing)}, not ${quote(revs)}`)

  const hooks = hooksOf(code)
  // core.hooksPath may name a directory that serves other repositories too.
  if (relative(git(code, 'rev-parse', '--absolute-git-dir'), hooks).startsWith('..')) {
    throw stop(`its core.hooksPath is ${quote(hooks)}; put the hook there yourself`)
  }
  makeDirectoryWithMode(hooks, 0o777, 0)
  for (const file of HOOK) {
    const path = join(hooks, file)
    const ours = readFileSync(ourHook(file), 'utf8')
    makeFile(path, ours, file === 'post-receive' ? 0o777 : 0o666)
    if (readFileSync(path, 'utf8') !== ours)
      throw stop(`it has another ${file}; let that one run ${ourHook('post-receive')}`)
  }
  if (standing === '') git(code, 'config', 'bass.revs', revs)
}

/** The files of the hook: the one that git starts comes last, so it is never there without the other. */
export const HOOK = ['bass-work-off', 'post-receive'] as const

export const ourHook = (file: string) => join(setting('BASS_ROOT'), 'hooks', file)
export const hooksOf = (repository: string) =>
  resolve(repository, git(repository, 'rev-parse', '--git-path', 'hooks'))
