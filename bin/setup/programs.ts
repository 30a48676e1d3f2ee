// The programs of a spool that run on one machine, for `bass up`.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { tolerating } from '../../lib/base/errno.ts'
import { listAllIfThere, listIfThere } from '../../lib/system/listing.ts'
import { lasting, quote } from '../../lib/base/exit.ts'
import { say } from '../../lib/system/log.ts'
import { optional, setting } from '../../lib/base/settings.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { environmentOfProject, filled, projectFiles, settingsOfProject } from '../../lib/conf/sourced.ts'
import { PROGRAMS } from './program-kinds.ts'
import type { Program } from './supervisor.ts'
import { HOME } from '../../lib/system/tree.ts'

/** The programs to run: those of the spool `root`, with so many takers, and the pages if `web`. */
export interface Programs {
  readonly root: string
  /** As `environmentToFill` makes it: each program fills it in by itself, when it starts. */
  readonly env: NodeJS.ProcessEnv
  readonly takers: number
  readonly web: boolean
}

/**
 * The reaper, a task-maker for each project of the spool, so many takers, the notifier where a project has channels, the
 * fetcher where one is on a forge, and the reporter if it is wanted, by the settings that there are now. Throws a lasting
 * error where these cannot be read.
 */
export function programsOf({ root, env, takers, web }: Programs): Program[] {
  const settings = filled(root, env)
  if (!listAllIfThere(setting('TASKS', settings)).includes('ctr')) {
    throw lasting(`use the spool ${quote(root)}`, "there is none; 'bass init DIR' makes one")
  }
  const projects = projectFiles(root)
  for (const rc of projects.values()) settingsOfProject(settings, rc)
  const common = settingsText(optional('BASS_RC', settings))
  const state = [common, ...[...projects.values()].map(settingsText)].join('\0')
  // Each time it is started, a launcher finds the tree that is there then.
  const program = (name: string, path: string, more: Partial<Program> = {}): Program => ({
    name,
    file: join(HOME, path),
    directory: root,
    env: { ...env, BASS_ROOT: '' },
    state,
    ...more,
  })
  const wanted = PROGRAMS.filter(kind => kind.wanted({ root, env: settings, web }))
  return wanted.flatMap(({ name, launcher, per }) => {
    if (per === 'farm' || per === 'worker') return []
    // The notifier reads the settings of projects again by itself.
    if (per === 'spool')
      return [program(name, launcher, name === 'reaper' || name === 'notifier' ? { state: common } : {})]
    if (per === 'project')
      return makersOf(projects, settings, env, common, (maker, more) => program(maker, launcher, more))
    return slotsOf(root, setting('HOST', settings), takers).map((directory, index) =>
      program(`${name} ${index + 1}`, launcher, { directory, state: common }),
    )
  })
}

/** A text that becomes another one when `programsOf` may: the content of all settings files, and the names of programs that tell. */
export function stateOfPrograms(root: string, env: NodeJS.ProcessEnv): string {
  const rcs = [optional('BASS_RC', env) ?? join(root, 'conf/rc'), ...projectFiles(root).values()]
  const told = [...projectFiles(root).keys()].flatMap(name =>
    listIfThere(join(root, 'conf', name, 'notify.d')),
  )
  return [...rcs.flatMap(rc => [rc, settingsText(rc)]), ...told].join('\0')
}

/** The content of a settings file; empty where there is none. */
const settingsText = (rc: string | undefined): string =>
  (rc !== undefined && tolerating(['ENOENT'], () => readFileSync(rc, 'utf8'))) || ''

/** A task-maker for each project. Projects have settings files; a site with one project may have none. */
function makersOf(
  projects: ReadonlyMap<string, string>,
  settings: NodeJS.ProcessEnv,
  env: NodeJS.ProcessEnv,
  common: string,
  program: (name: string, more: Partial<Program>) => Program,
): Program[] {
  if (projects.size > 0) {
    return [...projects].map(([name, rc]) =>
      program(`task-maker ${name}`, {
        env: { ...environmentOfProject(env, rc), BASS_ROOT: '' },
        state: `${common}\0${settingsText(rc)}`,
      }),
    )
  }
  if (optional('PROJ', settings) !== undefined) return [program('task-maker', { state: common })]
  say('info', `no project is set up in ${quote(settings['SPOOL'] ?? '')}: see 'bass init --help'`)
  return []
}

function slotsOf(root: string, host: string, count: number): string[] {
  const slots = Array.from({ length: count }, (_, index) => join(root, 'slots', `${host}-${index + 1}`))
  for (const slot of slots) makeDirectories(slot)
  return slots
}
