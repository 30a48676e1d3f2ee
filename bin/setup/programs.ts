// The programs of a spool that run on one machine, for `bass up`.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { listAllIfThere } from '../../lib/system/listing.ts'
import { lasting, quote } from '../../lib/base/exit.ts'
import { say } from '../../lib/system/log.ts'
import { optional, setting } from '../../lib/base/settings.ts'
import { environmentOfProject, projectFiles } from '../../lib/conf/sourced.ts'
import { PROGRAMS } from './program-kinds.ts'
import type { Program } from './supervisor.ts'
import { HOME } from '../../lib/system/tree.ts'

/**
 * The reaper, a task-maker for each project of the spool `root`, so many takers, the notifier where a project has
 * channels, and the reporter if `web`; `settings` are the spool's.
 */
export function programsOf(
  root: string,
  settings: NodeJS.ProcessEnv,
  takers: number,
  web = false,
): Program[] {
  // Each time it is started, a launcher finds the tree that is there then.
  const env = { ...settings, BASS_ROOT: '' }
  if (!listAllIfThere(setting('TASKS', env)).includes('ctr')) {
    throw lasting(`use the spool ${quote(root)}`, "there is none; 'bass init DIR' makes one")
  }
  const program = (name: string, path: string, more: Partial<Program> = {}): Program => ({
    name,
    file: join(HOME, path),
    directory: root,
    env,
    ...more,
  })
  return PROGRAMS.filter(({ wanted }) => wanted({ root, env, web })).flatMap(({ name, launcher, per }) => {
    if (per === 'farm' || per === 'worker') return []
    if (per === 'spool') return [program(name, launcher)]
    if (per === 'project')
      return projectEnvironments(root, env).map(([name, env]) => program(name, launcher, { env }))
    return slotsOf(root, setting('HOST', env), takers).map((directory, index) =>
      program(`${name} ${index + 1}`, launcher, { directory }),
    )
  })
}

/** A name and an environment for each task-maker. Projects have settings files; a site with one project may have none. */
function projectEnvironments(root: string, env: NodeJS.ProcessEnv): [string, NodeJS.ProcessEnv][] {
  const projects = projectFiles(root)
  if (projects.size > 0) {
    return [...projects].map(([name, rc]) => [`task-maker ${name}`, environmentOfProject(env, rc)])
  }
  if (optional('PROJ', env) !== undefined) return [['task-maker', env]]
  say('info', `no project is set up in ${quote(root)}: see 'bass init --help'`)
  return []
}

function slotsOf(root: string, host: string, count: number): string[] {
  const slots = Array.from({ length: count }, (_, index) => join(root, 'slots', `${host}-${index + 1}`))
  for (const slot of slots) mkdirSync(slot, { recursive: true })
  return slots
}
