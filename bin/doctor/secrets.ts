// Files that others must not read: keys and passwords, and settings files that hold some.

import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

import { reasonOf, tolerating } from '../../lib/base/errno.ts'
import { optional, words } from '../../lib/base/settings.ts'
import { shellQuote } from '../../lib/base/shell-quote.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { fine, wrong } from './finding.ts'
import type { Finding } from './finding.ts'
import { assignedIn } from './settings-files.ts'
import type { ProjectFile } from './settings-files.ts'
import { isSecret } from './values.ts'

/** Looks at the files that the settings of this host and of the projects name. */
export function checkSecretFiles(projects: readonly ProjectFile[], env = process.env): Finding[] {
  const files = new Map<string, string>()
  for (const one of [env, ...projects.map(project => project.env)]) {
    for (const name of Object.keys(one).filter(name => /(?:TOKEN|KEY|PASSWORD|SECRET)_FILE$/.test(name))) {
      const path = optional(name, one)
      if (path !== undefined) files.set(path, name)
    }
  }
  return [...files].map(([path, name]) => checkFile(path, name))
}

/** Looks at the settings files of the spool and of the projects, which may hold secrets. */
export function checkSecretSettings(
  spool: Spool,
  projects: readonly ProjectFile[],
  env = process.env,
): Finding[] {
  return [{ rc: join(spool.root, 'conf/rc'), env }, ...projects].flatMap(({ rc, env }) =>
    checkSettings(rc, env),
  )
}

function checkFile(path: string, name: string): Finding {
  try {
    // Others can read it only if they can reach it: but a directory is opened sooner than one thinks.
    if ((statSync(path).mode & 0o007) === 0) return fine('secret', path, `${name}: its owner and group alone`)
    return wrong('secret', path, `others can read it, and it is ${name}`, `chmod o= ${shellQuote(path)}`)
  } catch (error) {
    return wrong(
      'secret',
      path,
      `${name} cannot be looked at: ${reasonOf(error)}`,
      `make it, or change ${name}`,
    )
  }
}

function checkSettings(rc: string, env: NodeJS.ProcessEnv): Finding[] {
  const mode = tolerating(['ENOENT', 'EACCES'], () => statSync(rc).mode) ?? 0
  if ((mode & 0o004) === 0) return []
  const hidden = new Set(words('SECRETS', env))
  const held = assignedIn(readFileSync(rc, 'utf8')).filter(name => isSecret(name) || hidden.has(name))
  if (held.length === 0) return []
  return [
    wrong('secret', rc, `it holds ${held.join(', ')}, and others can read it`, `chmod o= ${shellQuote(rc)}`),
  ]
}
