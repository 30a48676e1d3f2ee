// bass event: makes an event, as a push does.

import { basename, join } from 'node:path'

import { command, usage } from '../lib/system/command.ts'
import { fsyncPath, noteChange, publishFile } from '../lib/system/durable.ts'
import { listAllIfThere } from '../lib/system/listing.ts'
import { isErrno } from '../lib/base/errno.ts'
import { lasting, quote } from '../lib/base/exit.ts'
import { refAndCommit } from '../lib/git/ref.ts'
import { projectsOf, repositoryOf } from '../lib/conf/project-settings.ts'
import { optional } from '../lib/base/settings.ts'
import { makeDirectory, openSpool } from '../lib/spool/spool.ts'
import type { Spool } from '../lib/spool/spool.ts'

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
  const spool = openSpool()
  const revs = eventsOf(spool, project!)
  const repository = repositoryOf(spool, project!)
  if (repository === undefined) {
    throw lasting(
      `find the code of ${quote(project!)}`,
      'neither PROJ nor a settings file of the project says where it is',
    )
  }
  const { ref, commit } = refAndCommit(repository, what)
  const content = rest.map(line => `${line}\n`).join('')
  const path = touch(join(revs, ref), commit, content, spool.tasks.tmp)
  const made = { project, ref, revision: commit, path }
  process.stdout.write((json ? JSON.stringify(made, null, 2) : path) + '\n')
})

function eventsOf(spool: Spool, project: string): string {
  const ours = optional('REVS')
  if (ours !== undefined && basename(ours) === project) return ours
  if (listAllIfThere(spool.revs).includes(project)) return join(spool.revs, project)
  const there = projectsOf(spool).map(quote).join(', ') || 'none'
  throw lasting(`find the project ${quote(project)}`, `the projects of this spool are ${there}`)
}

/** E0, as the hook begins it. */
function touch(directory: string, commit: string, content: string, tmp: string, tries = 5): string {
  const path = join(directory, commit)
  try {
    makeDirectory(directory)
    const ours = publishFile(path, content, undefined, tmp)
    fsyncPath(directory)
    noteChange(directory)
    if (!ours && content !== '')
      throw lasting(`make the event ${quote(path)}`, 'there is one already, with lines of its own')
    return path
  } catch (error) {
    // A task-maker removes directories that have become empty.
    if (tries > 1 && isErrno(error, 'ENOENT')) return touch(directory, commit, content, tmp, tries - 1)
    throw error
  }
}
