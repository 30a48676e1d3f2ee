// The projects that people may name, and what is said of a name that is none.

import { projectsOf } from '../../lib/conf/project-settings.ts'
import { lasting, quote } from '../../lib/base/exit.ts'
import type { Fatal } from '../../lib/base/exit.ts'
import { parseTaskName } from '../../lib/spool/task-name.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { mustList } from '../../lib/system/listing.ts'

/** Those that have events, and those that have tasks which are not over. */
export function knownProjects(spool: Spool): string[] {
  const tasks = mustList(spool.tasks.cur).map(name => parseTaskName(name)?.project)
  return [...new Set([...projectsOf(spool), ...tasks.filter(name => name !== undefined)])].sort()
}

export function noSuchProject(spool: Spool, project: string): Fatal {
  const there = knownProjects(spool).map(quote).join(', ') || 'none'
  return lasting(`find the project ${quote(project)}`, `the projects of this spool are ${there}`)
}
