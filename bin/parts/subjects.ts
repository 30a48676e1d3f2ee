// The subjects of commits, each asked for once: for whoever shows them again and again.

import { Fatal } from '../../lib/base/exit.ts'
import { repositoryOf } from '../../lib/conf/project-settings.ts'
import { readCommits } from '../../lib/git/commit.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import type { TaskView } from '../../lib/view/view.ts'

export class Subjects {
  readonly #spool: Spool
  readonly #repositories = new Map<string, string | undefined>()
  /** By revision; undefined where the repository does not have it. */
  readonly #known = new Map<string, string | undefined>()

  constructor(spool: Spool) {
    this.#spool = spool
  }

  /** Reads those of these tasks that are not known yet. */
  async read(tasks: readonly TaskView[]): Promise<void> {
    const asked = tasks.filter(({ revision }) => revision !== null && !this.#known.has(revision))
    for (const [project, revisions] of byProject(asked)) {
      const repository = this.#repositoryOf(project)
      const commits = repository === undefined ? undefined : await commitsOf(repository, revisions)
      for (const revision of revisions) this.#known.set(revision, commits?.get(revision)?.subject)
    }
  }

  of({ revision }: Pick<TaskView, 'revision'>): string | null {
    return (revision === null ? undefined : this.#known.get(revision)) ?? null
  }

  #repositoryOf(project: string): string | undefined {
    if (!this.#repositories.has(project)) this.#repositories.set(project, repositoryOf(this.#spool, project))
    return this.#repositories.get(project)
  }
}

function byProject(tasks: readonly TaskView[]): Map<string, string[]> {
  const revisions = new Map<string, string[]>()
  for (const { project, revision } of tasks)
    revisions.set(project, [...(revisions.get(project) ?? []), revision!])
  return revisions
}

/** Where there is no git there are no subjects, which is no reason to show nothing. */
async function commitsOf(repository: string, revisions: readonly string[]) {
  try {
    return await readCommits(repository, revisions)
  } catch (error) {
    if (!(error instanceof Fatal)) throw error
    return undefined
  }
}
