// The settings by which deliveries of a project are judged: FORGE and the file of its secret, as `conf/PROJECT/rc` has them now.

import { statSync } from 'node:fs'
import { join } from 'node:path'

import { tolerating } from '../../lib/base/errno.ts'
import { optional } from '../../lib/base/settings.ts'
import { settingsOfProject } from '../../lib/conf/sourced.ts'
import { forgeOf } from '../../lib/forge/parse-forge.ts'
import { isPart } from '../../lib/spool/task-name.ts'
import { askingAgain } from '../../lib/system/listing.ts'
import { secret } from '../../lib/system/secret.ts'
import type { Receiving } from './listener.ts'

interface Read {
  /** Identity and times of the settings file when it was read. */
  readonly stamp: string
  readonly env: NodeJS.ProcessEnv
}

/**
 * Returns what is known of a project. Its settings are read again when their file has changed, the secret each time. Throws where
 * they cannot be read: no forge sends again what is answered with 404.
 */
export function receivingOf(root: string, env: NodeJS.ProcessEnv = process.env) {
  const known = new Map<string, Read>()
  return (project: string): Receiving | undefined => {
    if (!isPart(project)) return undefined
    const rc = join(root, 'conf', project, 'rc')
    const stat = tolerating(['ENOENT', 'ENOTDIR'], () => askingAgain(() => statSync(rc)))
    if (!stat?.isFile()) return undefined
    const stamp = `${stat.ino} ${stat.mtimeMs} ${stat.size}`
    let read = known.get(project)
    if (read?.stamp !== stamp) {
      read = { stamp, env: settingsOfProject(env, rc) }
      known.set(project, read)
    }
    const forge = forgeOf(read.env)
    if (!forge || optional('FORGE_SECRET_FILE', read.env) === undefined) return undefined
    const key = secret('FORGE_SECRET', read.env)
    return key ? { forge, secret: key } : undefined
  }
}
