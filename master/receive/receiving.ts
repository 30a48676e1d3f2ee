// The settings by which deliveries of a project are judged: FORGE and the file of its secret, as `conf/PROJECT/rc` has them now.

import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { tolerating } from '../../lib/base/errno.ts'
import { optional } from '../../lib/base/settings.ts'
import { settingsOfProject } from '../../lib/conf/sourced.ts'
import { forgeOf } from '../../lib/forge/parse-forge.ts'
import { isPart } from '../../lib/spool/task-name.ts'
import { warnOnce } from '../../lib/system/log.ts'
import type { Receiving } from './listener.ts'

interface Read {
  /** Identity and times of the settings file when it was read. */
  readonly stamp: string
  readonly env: NodeJS.ProcessEnv
}

/** Returns what is known of a project. Its settings are read again when their file has changed, the secret each time. */
export function receivingOf(root: string, env: NodeJS.ProcessEnv = process.env) {
  const known = new Map<string, Read>()
  return (project: string): Receiving | undefined => {
    if (!isPart(project)) return undefined
    const rc = join(root, 'conf', project, 'rc')
    const stat = tolerating(['ENOENT', 'ENOTDIR', 'EACCES', 'ESTALE'], () => statSync(rc))
    if (!stat?.isFile()) return undefined
    const stamp = `${stat.ino} ${stat.mtimeMs} ${stat.size}`
    let read = known.get(project)
    if (read?.stamp !== stamp) {
      read = { stamp, env: settingsOfProject(env, rc) }
      known.set(project, read)
    }
    const forge = forgeOf(read.env)
    const file = optional('FORGE_SECRET_FILE', read.env)
    if (!forge || file === undefined) return undefined
    const secret = readSecret(file)
    return secret === undefined ? undefined : { forge, secret }
  }
}

/** Returns the content of the file, without the line feed at its end; undefined if it cannot be read or is empty. */
function readSecret(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trimEnd() || undefined
  } catch (error) {
    warnOnce('read FORGE_SECRET_FILE', file, error)
    return undefined
  }
}
