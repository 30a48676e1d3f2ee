// The environment that the programs of a spool have.

import { join, resolve } from 'node:path'

import { listIfThere } from '../system/listing.ts'
import { lasting, quote } from '../base/exit.ts'
import { optional, setting } from '../base/settings.ts'
import { isPart } from '../spool/task-name.ts'
import { failureOf, runSync } from '../system/run.ts'
import { settingNames } from './setting-names.ts'

/** Settings of one project. A settings file that sets some of them must not inherit the others. */
const FORGE = [
  'FORGE',
  'FORGE_TOKEN',
  'FORGE_TOKEN_FILE',
  'FORGE_APP_ID',
  'FORGE_APP_KEY_FILE',
  'FORGE_SECRET_FILE',
]
const PROJECT = ['REVS', 'PROJECT', 'PROJ', 'STEPS', 'ARCHS', ...FORGE]

/** Settings of one spool. */
const SPOOL = ['TASKS', 'JOBS', 'BASS_RC', ...PROJECT]

/**
 * `env` for programs of the spool `root` that read its settings themselves, each time they start: without what they would
 * have by lib/rc and the settings file anyway, so that what is changed there changes for them.
 */
export function environmentToFill(root: string, env = process.env): NodeJS.ProcessEnv {
  const ours = resolve(optional('SPOOL', env) ?? '') === root ? env : { ...without(env, SPOOL), SPOOL: root }
  const names = settingNames().filter(name => name !== 'SPOOL' && name !== 'BASS_RC')
  const filled = sourced(without(ours, names), root)
  return without(
    ours,
    names.filter(name => ours[name] === filled[name]),
  )
}

/** The settings that programs with this environment have when they start now. */
export const filled = (root: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv => sourced(env, root)

/** The settings files of the projects of a spool, by name. */
export function projectFiles(root: string): Map<string, string> {
  const conf = join(root, 'conf')
  const projects = listIfThere(conf).filter(
    name => isPart(name) && listIfThere(join(conf, name)).includes('rc'),
  )
  return new Map(projects.map(name => [name, join(conf, name, 'rc')]))
}

/** The settings of the project whose file is `rc`, as its own programs have them. */
export const settingsOfProject = (env: NodeJS.ProcessEnv, rc: string): NodeJS.ProcessEnv =>
  sourced(environmentOfProject(env, rc), rc)

/** `env` as lib/rc fills it in; `of` names what it is of. */
function sourced(env: NodeJS.ProcessEnv, of: string): NodeJS.ProcessEnv {
  const asked = runSync(['sh', '-c', '. "$BASS_ROOT/lib/rc" && exec env -0'], {
    env: { ...env, BASS_ROOT: setting('BASS_ROOT') },
  })
  if (asked.code !== 0) throw lasting(`read the settings of ${quote(of)}`, failureOf(asked))
  const entries = asked.stdout.split('\0').filter(entry => entry !== '')
  return Object.fromEntries(
    entries.map(entry => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  )
}

/** The environment for a program that reads the settings of a project from their file. */
export function environmentOfProject(env: NodeJS.ProcessEnv, rc: string): NodeJS.ProcessEnv {
  return { ...without(env, PROJECT), BASS_RC: rc }
}

function without(env: NodeJS.ProcessEnv, names: readonly string[]): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)))
}
