// Every long-running program, once: `bass up` runs those of a spool, `bass service` installs all.

import { forgeOf } from '../../lib/forge/parse-forge.ts'
import { projectFiles, settingsOfProject } from '../../lib/conf/sourced.ts'
import { projectsWithChannels } from '../../master/notify/channels.ts'

/** A spool and its settings, for which programs are chosen. */
export interface SpoolSite {
  readonly root: string
  readonly env: NodeJS.ProcessEnv
  /** Web pages are wanted. */
  readonly web: boolean
}

interface ProgramKind {
  readonly name: string
  /** Its launcher, below the tree. */
  readonly launcher: string
  /** One for each spool, project or slot; those of a farm need no spool. */
  readonly per: 'spool' | 'project' | 'slot' | 'farm' | 'worker'
  /** Describes it in the help of `bass service`. */
  readonly about: string
  /** Whether `bass up` runs it. */
  readonly wanted: (site: SpoolSite) => boolean
}

const always = () => true
const never = () => false

export const PROGRAMS = [
  {
    name: 'reaper',
    launcher: 'master/bin/reaper',
    per: 'spool',
    about: 'the reaper; one for each spool is enough',
    wanted: always,
  },
  {
    name: 'notifier',
    launcher: 'master/bin/notifier',
    per: 'spool',
    about: 'the notifier; one for each spool',
    wanted: ({ root, env }) => projectsWithChannels(root, env).some(({ channels }) => channels.length > 0),
  },
  {
    name: 'fetcher',
    launcher: 'master/bin/fetcher',
    per: 'spool',
    about: 'the fetcher, for code on a forge; one for each spool',
    wanted: ({ root, env }) =>
      [...projectFiles(root).values()].some(rc => forgeOf(settingsOfProject(env, rc)) !== undefined),
  },
  {
    name: 'reporter',
    launcher: 'master/bin/reporter',
    per: 'spool',
    about: 'the web pages',
    wanted: ({ web }) => web,
  },
  {
    name: 'task-maker',
    launcher: 'master/bin/task-maker',
    per: 'project',
    about: 'the task-maker of this project',
    wanted: always,
  },
  {
    name: 'task-taker',
    launcher: 'slave/bin/task-taker',
    per: 'slot',
    about: 'N task-takers',
    wanted: always,
  },
  {
    name: 'farmer',
    launcher: 'master/bin/farmer',
    per: 'farm',
    about: 'a farmer; it needs no SPOOL',
    wanted: never,
  },
  {
    name: 'worker',
    launcher: 'slave/bin/worker',
    per: 'worker',
    about: 'N workers of a farmer; they need no SPOOL',
    wanted: never,
  },
] as const satisfies readonly ProgramKind[]

/** The launcher of a program, below the tree. */
export const launcherOf = (wanted: ProgramName): string =>
  PROGRAMS.find(({ name }) => name === wanted)!.launcher

export type ProgramName = (typeof PROGRAMS)[number]['name']

/** The programs of which a spool, or a machine of a farm, has one. */
export type SingleProgram = Extract<(typeof PROGRAMS)[number], { per: 'spool' | 'farm' }>['name']
