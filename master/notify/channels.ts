// Whom each project of a spool tells how its jobs end: the channels of all kinds that its settings name.

import { statSync } from 'node:fs'
import { basename, join } from 'node:path'

import { listIfThere } from '../../lib/system/listing.ts'
import { ignoringENOENT } from '../../lib/base/errno.ts'
import { lasting, quote } from '../../lib/base/exit.ts'
import { warnOnce } from '../../lib/system/log.ts'
import { optional } from '../../lib/base/settings.ts'
import { projectFiles, settingsOfProject } from '../../lib/conf/sourced.ts'
import { parseForge, repositoryKey } from '../../lib/forge/parse-forge.ts'
import type { Channel } from './channel.ts'
import { KINDS } from './kinds.ts'

export interface ProjectChannels {
  readonly name: string
  readonly env: NodeJS.ProcessEnv
  readonly channels: readonly Channel[]
}

/** Returns the projects of the spool `root` whose settings can be read; reports the others, and names them to `onOdd`. */
export function projectsWithChannels(
  root: string,
  env: NodeJS.ProcessEnv,
  onOdd: (project: string) => void = () => undefined,
): ProjectChannels[] {
  const files = projectFiles(root)
  // A site with one project may have no file for it.
  const lonely = files.size === 0 ? optional('REVS', env) : undefined
  const names = lonely === undefined ? [...files.keys()] : [basename(lonely)]
  const projects = names.flatMap(name => {
    try {
      const rc = files.get(name)
      const settings = rc === undefined ? env : settingsOfProject(env, rc)
      return [{ name, env: settings, channels: channelsOf(name, programsOf(root, name), settings) }]
    } catch (error) {
      warnOnce('read the channels of', name, error)
      onOdd(name)
      return []
    }
  })
  return markShared(projects)
}

/** Marks the forge channels of projects that have their repository in common. */
function markShared(projects: readonly ProjectChannels[]): ProjectChannels[] {
  const keyOf = ({ channels }: ProjectChannels) => {
    const forge = channels.find(({ kind }) => kind === 'forge')
    return forge && repositoryKey(parseForge(forge.target))
  }
  const keys = projects.map(keyOf)
  return projects.map((project, i) => {
    const isShared = keys[i] !== undefined && keys.filter(key => key === keys[i]).length > 1
    const mark = (channel: Channel) => (channel.kind === 'forge' ? { ...channel, shared: isShared } : channel)
    return { ...project, channels: project.channels.map(mark) }
  })
}

/** A text that becomes another one when a file of `projectsWithChannels` does. */
export function stateOfChannels(root: string): string {
  const files = [...projectFiles(root)].flatMap(([name, rc]) => {
    const programs = programsOf(root, name)
    return [rc, programs, ...listIfThere(programs).map(file => join(programs, file))]
  })
  return files.map(path => `${path} ${ignoringENOENT(() => statSync(path))?.ctimeMs ?? ''}\n`).join('')
}

const programsOf = (root: string, project: string) => join(root, 'conf', project, 'notify.d')

/** The channels of a project, whose programs are in `directory`. */
export function channelsOf(project: string, directory: string, env: NodeJS.ProcessEnv): Channel[] {
  const channels = KINDS.flatMap(kind => kind.read({ project, programs: directory, env }))
  const twice = channels.find(({ name }, i) => channels.findIndex(other => other.name === name) < i)
  if (twice) throw lasting(`tell ${quote(twice.name)}`, 'it is named twice')
  return channels
}
