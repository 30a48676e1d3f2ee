// The settings files of a spool and its projects: whether each can be read, sets what exists, and sets it to what can be
// read. A name that nobody knows is a slip, unless a program or the file itself may use it.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { Fatal, quote } from '../../lib/base/exit.ts'
import { words } from '../../lib/base/settings.ts'
import { counted } from '../../lib/base/text.ts'
import { tolerating } from '../../lib/base/errno.ts'
import { sourcedFrom } from '../../lib/conf/project-settings.ts'
import { projectFiles, settingsOfProject } from '../../lib/conf/sourced.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { nearest } from '../../lib/base/nearest.ts'
import { fine, wrong } from './finding.ts'
import type { Finding } from './finding.ts'
import { faultOf } from './values.ts'

/** A project whose settings can be read. */
export interface ProjectFile {
  readonly name: string
  /** The path of its settings file. */
  readonly rc: string
  /** The environment of its programs. */
  readonly env: NodeJS.ProcessEnv
}

/** Variables that sh and programs know, beside those that lib/rc exports. */
const KNOWN = ['PROJECT', 'PATH', 'TMPDIR', 'HOME', 'TZ']

/** Reads the projects of a spool, and says what is wrong with the settings files. `known` are the names of settings. */
export function readSettingsFiles(
  spool: Spool,
  known: readonly string[],
  env = process.env,
): { projects: ProjectFile[]; findings: Finding[] } {
  const common = join(spool.root, 'conf/rc')
  const findings = checkNames(common, known, env)
  const projects: ProjectFile[] = []
  for (const [name, rc] of projectFiles(spool.root)) {
    try {
      const project = { name, rc, env: settingsOfProject(env, rc) }
      projects.push(project)
      findings.push(...checkNames(rc, known, project.env), ...checkValues(project, known, env))
      findings.push(...checkProject(project))
    } catch (error) {
      if (!(error instanceof Fatal)) throw error
      findings.push(wrong('setting', rc, error.message, `mend ${rc}; 'sh -n ${rc}' finds slips of sh`))
    }
  }
  return { projects, findings }
}

/** The values that a project does not share with this environment, where they are looked at already. */
function checkValues(
  { name, rc, env }: ProjectFile,
  known: readonly string[],
  ours: NodeJS.ProcessEnv,
): Finding[] {
  return known.flatMap(setting => {
    const fault = env[setting] === ours[setting] ? undefined : faultOf(setting, env)
    return fault === undefined ? [] : [wrong('setting', `${setting} of ${name}`, fault, `change it in ${rc}`)]
  })
}

/** A task-maker looks for events of PROJECT; hooks and verbs make them where the file is named after it. */
function checkProject({ name, rc }: ProjectFile): Finding[] {
  const other = sourcedFrom(rc, ['PROJECT'])['PROJECT']
  if (other === undefined || other === name) return []
  return [wrong('setting', `PROJECT of ${name}`, `it is ${quote(other)}`, `set it to ${name} in ${rc}`)]
}

function checkNames(rc: string, known: readonly string[], env: NodeJS.ProcessEnv): Finding[] {
  const text = tolerating(['ENOENT', 'EACCES'], () => readFileSync(rc, 'utf8'))
  if (text === undefined) return []
  const names = assignedIn(text)
  const used = new Set([...KNOWN, ...words('SECRETS', env), ...words('STEP_ENV', env), ...known])
  const isUsed = (name: string) => used.has(name) || new RegExp(`\\$\\{?${name}\\b`).test(text)
  // Small letters are for the file's own use, unless a setting is named so.
  const isOwn = (name: string) => name !== name.toUpperCase() && !known.includes(name.toUpperCase())
  const odd = names.filter(name => !isUsed(name) && !isOwn(name))
  const findings = odd.flatMap(name => {
    const meant = nearest(name.toUpperCase(), known)
    // An exported variable may be for programs that BASS starts.
    if (meant === undefined && env[name] !== undefined) return []
    const why = meant === undefined ? 'no program sees it' : `did you mean ${meant}?`
    return [wrong('setting', `${name} in ${rc}`, `there is no such setting; ${why}`, `change it in ${rc}`)]
  })
  return findings.length > 0 ? findings : [fine('setting', rc, `sets ${counted(names.length, 'name')}`)]
}

/** The names that the lines of a settings file assign, or would; those that a comment shows are none. Pure. */
export function assignedIn(text: string): string[] {
  const assignments = /(?:^|[;&|]|\bthen|\bdo|\belse)[ \t]*(?:export[ \t]+)?([A-Za-z]\w*)=/g
  const names = text
    .split('\n')
    .filter(line => !/^\s*#/.test(line))
    .flatMap(line => {
      const bare = line.replace(/'[^']*'|"[^"]*"/g, '')
      const defaults = [...line.matchAll(/:[ \t]+"\$\{([A-Z][A-Z0-9_]*):?=/g)]
      return [...bare.trim().matchAll(assignments), ...defaults].map(found => found[1]!)
    })
  return [...new Set(names)]
}
