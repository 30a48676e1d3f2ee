// The repositories of the projects: whether git opens them for us, whether pushes to them become events, and what of
// earlier pushes did not.

import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

import { ignoringENOENT, tolerating } from '../../lib/base/errno.ts'
import { Fatal } from '../../lib/base/exit.ts'
import { optional } from '../../lib/base/settings.ts'
import { shellQuote } from '../../lib/base/shell-quote.ts'
import { ago, counted } from '../../lib/base/text.ts'
import { git } from '../../lib/git/process.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import { HOOK, hooksOf, ourHook } from '../setup/project.ts'
import { fine, wrong } from './finding.ts'
import type { Finding } from './finding.ts'
import type { ProjectFile } from './settings-files.ts'

/** A push that is being worked off is worked off, or handed on, within this many milliseconds. */
const PENDING_PATIENCE_MS = 60_000

/** `alone`: no other host has takers, so what makes tasks is here. */
export function checkRepositories(spool: Spool, projects: readonly ProjectFile[], alone: boolean): Finding[] {
  return projects.flatMap(project => {
    const { name, rc, env } = project
    const [code, steps] = [optional('PROJ', env), optional('STEPS', env)]
    const findings = [code, steps].flatMap(path =>
      path === undefined ? [] : checkRepository(path, rc, alone),
    )
    const isOpen = code !== undefined && findings[0]!.ok && isThere(code)
    // Nobody pushes to a mirror that is fetched from a forge.
    if (!isOpen || optional('FORGE', env) !== undefined) return findings
    return [...findings, checkHook(spool, name, code), ...checkPending(name, code)]
  })
}

const isThere = (path: string) => statSync(path, { throwIfNoEntry: false }) !== undefined

function checkRepository(path: string, rc: string, alone: boolean): Finding[] {
  if (!isThere(path)) {
    return alone
      ? [wrong('repository', path, 'it is not there', `change it in ${rc}`)]
      : [fine('repository', path, 'not on this host; only the host of its task-maker needs it')]
  }
  try {
    git(path, 'rev-parse', '--git-dir')
    return [fine('repository', path, 'git opens it')]
  } catch (error) {
    if (!(error instanceof Fatal)) throw error
    const trust = `git config --global --add safe.directory ${shellQuote(path)}`
    const fix = /dubious ownership/.test(error.message) ? trust : `change it in ${rc}`
    return [wrong('repository', path, error.message, fix)]
  }
}

/** Whether a push makes events of this spool. */
function checkHook(spool: Spool, project: string, code: string): Finding {
  const revs = join(spool.revs, project)
  const standing = git(code, 'config', '--default', '', '--path', 'bass.revs')
  const hooks = hooksOf(code)
  const install = `bass init ${shellQuote(spool.root)} --project ${project} --code ${shellQuote(code)} --hook`
  const configure = `git -C ${shellQuote(code)} config bass.revs ${shellQuote(revs)}`
  const hook = readContent(join(hooks, 'post-receive'))
  if (standing === '' && hook === undefined)
    return fine('hook', project, `none: pushes make no events; '${install}' installs it`)
  if (standing === '') return wrong('hook', project, 'bass.revs is not set', configure)
  if (relative(resolve(code, standing), revs) !== '')
    return wrong('hook', project, `bass.revs is '${standing}', not '${revs}'`, configure)
  // Another hook is to run ours, wherever that is.
  if (hook !== undefined && !/\bbass\b/.test(hook))
    return fine('hook', project, `${join(hooks, 'post-receive')} is another one, which is to run ours`)
  for (const file of HOOK) {
    const path = join(hooks, file)
    const text = readContent(path)
    if (text === undefined) return wrong('hook', project, `there is no ${path} that can be read`, install)
    if (file === 'post-receive' && !canRun(path))
      return wrong('hook', project, `${path} is not executable`, `chmod +x ${shellQuote(path)}`)
    const copy = `cp ${shellQuote(ourHook(file))} ${shellQuote(path)}`
    if (text !== readContent(ourHook(file)))
      return wrong('hook', project, `${path} is of another version`, copy)
  }
  return fine('hook', project, 'pushes make events')
}

const readContent = (path: string): string | undefined =>
  tolerating(['ENOENT', 'ENOTDIR', 'EACCES'], () => readFileSync(path, 'utf8'))

function canRun(path: string): boolean {
  return tolerating(['EACCES'], () => (accessSync(path, constants.X_OK), true)) ?? false
}

/** The pushes that the hook has written down, and of which nobody has made events. */
function checkPending(project: string, code: string, now = Date.now()): Finding[] {
  const pending = join(resolve(code, git(code, 'rev-parse', '--git-dir')), 'bass-pending')
  const times = listIfThere(pending).flatMap(
    name => ignoringENOENT(() => statSync(join(pending, name)).mtimeMs) ?? [],
  )
  const late = times.filter(time => now - time > PENDING_PATIENCE_MS)
  if (late.length === 0) return []
  const oldest = ago(now - Math.min(...late))
  const text = `${counted(late.length, 'push', 'pushes')} in ${pending} did not become events, the oldest came ${oldest}`
  return [
    wrong(
      'hook',
      project,
      text,
      `cd ${shellQuote(code)} && "$(git rev-parse --git-path hooks)/post-receive" </dev/null`,
    ),
  ]
}
