// Every long-running program of a spool, once: `bass up` runs these, `bass service` installs them.

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
  /** One for each spool, project or slot. */
  readonly per: 'spool' | 'project' | 'slot'
  /** Describes it in the help of `bass service`. */
  readonly about: string
  /** Whether `bass up` runs it. */
  readonly wanted: (site: SpoolSite) => boolean
}

const always = () => true

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
] as const satisfies readonly ProgramKind[]

export type ProgramName = (typeof PROGRAMS)[number]['name']

/** The programs of which a spool has one. */
export type SpoolProgram = Extract<(typeof PROGRAMS)[number], { per: 'spool' }>['name']
