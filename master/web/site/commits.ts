// The commits of tasks, read from the code repositories and kept.

import { LRUCache } from 'lru-cache'

import { readCommits } from '../../../lib/git/commit.ts'
import type { CommitView } from '../../../lib/git/commit.ts'
import type { TaskView } from '../../../lib/view/view.ts'

export class Commits {
  readonly #kept = new LRUCache<string, { readonly commit: CommitView | null }>({ max: 1000 })
  readonly #repositoryOf: (project: string) => string | undefined

  /** `repositoryOf` says where the code of a project is, and is asked seldom. */
  constructor(repositoryOf: (project: string) => string | undefined) {
    this.#repositoryOf = repositoryOf
  }

  /** Reads the commits of these tasks from the code repositories, by revision, as far as they are there. */
  async of(views: readonly TaskView[]): Promise<ReadonlyMap<string, CommitView>> {
    const projects = new Set(views.map(({ project }) => project))
    for (const project of projects) {
      const missing = views
        .filter(view => view.project === project)
        .map(({ revision }) => revision)
        .filter(revision => revision !== null)
        .filter(revision => !this.#kept.has(revision))
      const repository = missing.length > 0 ? this.#repositoryOf(project) : undefined
      if (repository === undefined) continue
      const found = await readCommits(repository, missing)
      for (const revision of missing) this.#kept.set(revision, { commit: found.get(revision) ?? null })
    }
    const pairs = views.map(
      ({ revision }) => [revision ?? '', this.#kept.get(revision ?? '')?.commit] as const,
    )
    return new Map(pairs.filter((pair): pair is readonly [string, CommitView] => pair[1] != null))
  }
}
