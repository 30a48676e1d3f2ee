// The API of Gitea and Forgejo, where it differs from GitHub's.

import type { ForgeApi } from './api.ts'
import { Client } from './client.ts'
import type { Credential } from './credential.ts'
import type { ForgeAddress } from './forge.ts'
import { PullApi } from './github-api.ts'
import { field } from './payload.ts'

/** The most entries of a tree that are read, a thousand a page. */
const TREE_PAGES = 100

class GiteaApi extends PullApi implements ForgeApi {
  /** The tree comes in pages that say how many entries there are; `truncated` only says that there are more. */
  override async filesAt(sha: string): Promise<readonly string[] | undefined> {
    const paths: string[] = []
    let seen = 0
    for (let page = 1; page <= TREE_PAGES; page++) {
      const path = `${this.repo}/git/trees/${sha}?recursive=true&per_page=1000&page=${page}`
      const { body } = await this.client.get(path)
      const tree = field(body, 'tree')
      if (!Array.isArray(tree) || tree.length === 0)
        return field(body, 'truncated') === true ? undefined : paths
      seen += tree.length
      for (const entry of tree) {
        const name: unknown = field(entry, 'path')
        if (field(entry, 'type') === 'blob' && typeof name === 'string') paths.push(name)
      }
      const total = field(body, 'total_count')
      if (field(body, 'truncated') !== true && !(typeof total === 'number' && seen < total)) return paths
    }
    return undefined
  }

  protected override hookBody(url: string, secret: string): Record<string, unknown> {
    return {
      type: 'gitea',
      active: true,
      events: ['push', 'pull_request', 'pull_request_sync'],
      config: { url, content_type: 'json', secret },
    }
  }
}

export function giteaForgeApi(place: ForgeAddress, credential: Credential): ForgeApi {
  const client = new Client(`${place.server}/api/v1`, async () => ({
    Authorization: `token ${await credential()}`,
  }))
  return new GiteaApi(client, place, 'limit=50', Infinity)
}
