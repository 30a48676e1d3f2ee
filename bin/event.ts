// bass event: makes an event, as a push does.

import { basename, join } from 'node:path'

import { command, usage } from '../lib/system/command.ts'
import { listAllIfThere } from '../lib/system/listing.ts'
import { lasting, quote } from '../lib/base/exit.ts'
import type { Fatal } from '../lib/base/exit.ts'
import { refAndCommit } from './parts/ref.ts'
import { projectFiles, settingsOfProject } from '../lib/conf/sourced.ts'
import { repositoryOf } from '../lib/conf/project-settings.ts'
import { optional } from '../lib/base/settings.ts'
import { parseParams, publishEvent } from '../lib/spool/event.ts'
import { noSuchProject } from './parts/known-projects.ts'
import type { Spool } from '../lib/spool/spool.ts'
import { openSpoolHere } from './views/open.ts'

const description = {
  name: 'bass event',
  usage: '[--json] PROJECT [REF|REV] [KEY=VALUE...]',
  operands: [1, 100],
  about: `Makes tasks for a revision, as a push of it would: touches its event, and prints the path of that.

Without REF or REV it is the tip of the default branch. A REV by itself counts for a ref that
contains it. Each KEY=VALUE becomes BASS_PARAM_KEY in the steps. While an event waits for the
task-maker, the same event again makes no second run; once it was taken, it does.

--json prints { project, ref, revision, path }.`,
  options: { json: { type: 'boolean', about: 'print it for programs' } },
  environment: {
    SPOOL: 'the spool',
    PROJ: 'the code repository; without it, that of SPOOL/conf/PROJECT/rc',
    REVS: 'the events of the project, if this environment is its own',
  },
} as const

export const verb = command(description, ([project, ...rest], { json }) => {
  const what = rest[0]?.includes('=') ? undefined : rest.shift()
  const odd = rest.find(word => !/^[A-Za-z_][A-Za-z0-9_]*=[^\n]*$/.test(word))
  if (odd !== undefined) throw usage(description, `${quote(odd)} is no KEY=VALUE`)
  const spool = openSpoolHere()
  const revs = eventsOf(spool, project!)
  const repository = repositoryOf(spool, project!)
  if (repository === undefined) throw noCode(spool, project!)
  const { ref, commit } = refAndCommit(repository, what)
  const params = parseParams(rest.join('\n'))
  const path = join(revs, ref, commit)
  const made = publishEvent(spool, { revs, ref, revision: commit, params })
  if (made === 'there' && rest.length > 0)
    throw lasting(`make the event ${quote(path)}`, 'there is one already, with lines of its own')
  const shown = { project, ref, revision: commit, path }
  process.stdout.write((json ? JSON.stringify(shown, null, 2) : path) + '\n')
})

/** Why nothing says where the code of a project is: also a settings file may be wrong. */
function noCode(spool: Spool, project: string): Fatal {
  const rc = projectFiles(spool.root).get(project)
  if (rc !== undefined) settingsOfProject(process.env, rc)
  return lasting(
    `find the code of ${quote(project)}`,
    'neither PROJ nor a settings file of the project says where it is',
  )
}

function eventsOf(spool: Spool, project: string): string {
  const ours = optional('REVS')
  if (ours !== undefined && basename(ours) === project) return ours
  if (listAllIfThere(spool.revs).includes(project)) return join(spool.revs, project)
  throw noSuchProject(spool, project)
}
