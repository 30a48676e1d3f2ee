// Tells forges how jobs stand.

import type { ForgeApi } from '../../lib/forge/api.ts'
import { openApi } from '../../lib/forge/open.ts'
import type { Post } from './checks.ts'
import type { FarmProject, Projects } from './projects.ts'

/** Tells nobody of a project that has no token; `origin` is how the farmer is reached, for links. */
export function poster(projects: Projects, origin: string): Post {
  const apis = new WeakMap<FarmProject, { readonly api: ForgeApi | undefined }>()
  return async ({ project: name, job, revision, context, state, description }) => {
    const project = projects.find(name)
    if (!project) return
    const known = apis.get(project) ?? { api: openApi(project.forge, project.settings) }
    apis.set(project, known)
    const url = job === null ? null : `${origin}/job/${job}`
    await known.api?.setStatus({ sha: revision, context, state, description, url })
  }
}
