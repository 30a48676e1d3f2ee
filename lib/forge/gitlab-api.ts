// The API of GitLab.

import { clockIn, collect, namesOf, shorten } from './api.ts'
import type { AskedChange, ChangedFiles, ForgeApi, Hook, Status, TokenFacts } from './api.ts'
import { Client, ForgeError } from './client.ts'
import type { Credential } from './credential.ts'
import type { Change, ForgeAddress } from './forge.ts'
import { field, needBranch, needNumber, needSha, numberAt, shaAt, textAt, timeAt, urlAt } from './payload.ts'

const LIST_MAX = 10_000
/** Access levels from Developer on may push. */
const DEVELOPER = 30
const MAINTAINER = 40

const STATES = { failure: 'failed', error: 'failed', cancelled: 'canceled' } as const
const stateOnGitlab = (state: Status['state']) => (STATES as Partial<Record<string, string>>)[state] ?? state

class GitLabApi implements ForgeApi {
  readonly #client: Client
  readonly #project: string

  constructor(client: Client, place: ForgeAddress) {
    this.#client = client
    this.#project = `/projects/${encodeURIComponent(place.path)}`
  }

  async setStatus({ sha, context, state, description, url }: Status): Promise<void> {
    try {
      await this.#client.post(`${this.#project}/statuses/${sha}`, {
        state: stateOnGitlab(state),
        name: context,
        description: shorten(description),
        ...(url === null ? {} : { target_url: url }),
      })
    } catch (error) {
      if (!(error instanceof ForgeError) || !isThere(error, state)) throw error
    }
  }

  async changedFiles(number: number): Promise<ChangedFiles> {
    const merge = `${this.#project}/merge_requests/${number}`
    const { body } = await this.#client.get(merge)
    const files = await collect(this.#client.pages(`${merge}/diffs?per_page=100`), LIST_MAX)
    // `1000+`: it lists no more than that; a number that differs says the same.
    return {
      names: namesOf(files, 'new_path', 'old_path'),
      complete: textAt(body, 'changes_count') === String(files.length),
    }
  }

  async filesAt(sha: string): Promise<readonly string[] | undefined> {
    const path = `${this.#project}/repository/tree?ref=${sha}&recursive=true&per_page=100&pagination=keyset`
    const entries = await collect(this.#client.pages(path), LIST_MAX)
    if (entries.length >= LIST_MAX) return undefined
    return namesOf(
      entries.filter(entry => field(entry, 'type') === 'blob'),
      'path',
    )
  }

  async readFile(sha: string, path: string): Promise<string | undefined> {
    const file = `${this.#project}/repository/files/${encodeURIComponent(path)}?ref=${sha}`
    const content = field((await this.#client.find(file))?.body, 'content')
    return typeof content === 'string' ? Buffer.from(content, 'base64').toString('utf8') : undefined
  }

  async openChanges(): Promise<Change[]> {
    const path = `${this.#project}/merge_requests?state=opened&per_page=100`
    return (await collect(this.#client.pages(path), LIST_MAX)).map(mergeRequest)
  }

  async change(number: number): Promise<AskedChange | undefined> {
    const found = await this.#client.find(`${this.#project}/merge_requests/${number}`)
    // `locked` while it is being merged, which may fail.
    return (
      found && {
        ...mergeRequest(found.body),
        open: ['opened', 'locked'].includes(textAt(found.body, 'state')),
      }
    )
  }

  async mayPush({ authorId }: Change): Promise<boolean> {
    if (authorId === null) return false
    const found = await this.#client.find(`${this.#project}/members/all/${authorId}`)
    return levelOf(found?.body, 'access_level') >= DEVELOPER
  }

  async lookAtToken(): Promise<TokenFacts> {
    const { body, headers } = await this.#client.get(this.#project)
    const level = Math.max(
      levelOf(body, 'permissions.project_access.access_level'),
      levelOf(body, 'permissions.group_access.access_level'),
    )
    // A token of a day ends with that day, at midnight UTC.
    const token = await this.#client.find('/personal_access_tokens/self')
    const ends = Date.parse(textAt(token?.body, 'expires_at'))
    return {
      repository: textAt(body, 'path_with_namespace'),
      mayRead: true,
      mayPush: level >= DEVELOPER,
      mayAdmin: level >= MAINTAINER,
      ends: Number.isNaN(ends) ? null : ends,
      clock: clockIn(headers),
    }
  }

  async hooks(): Promise<Hook[]> {
    return (await collect(this.#client.pages(`${this.#project}/hooks?per_page=100`), LIST_MAX)).map(hook => ({
      id: needNumber(hook, 'id'),
      url: textAt(hook, 'url'),
      active: (textAt(hook, 'alert_status') || 'executable') === 'executable',
      events: ['push', 'merge_requests'].filter(event => field(hook, `${event}_events`) === true),
      last: textAt(hook, 'alert_status') || null,
    }))
  }

  async addHook(url: string, secret: string): Promise<void> {
    await this.#client.post(`${this.#project}/hooks`, {
      url,
      token: secret,
      push_events: true,
      tag_push_events: true,
      merge_requests_events: true,
      enable_ssl_verification: true,
    })
  }
}

/** GitLab refuses a state that it has already, and what waits of something that runs; a verdict in place of another is not there. */
function isThere({ status, message }: ForgeError, state: Status['state']): boolean {
  const from = /cannot transition status via :\w+ from :(\w+)/i.exec(message)?.[1]
  if (status !== 400 || from === undefined) return false
  return from === stateOnGitlab(state) || state === 'pending' || state === 'running'
}

function levelOf(value: unknown, path: string): number {
  return numberAt(value, path) ?? 0
}

function mergeRequest(merge: unknown): Change {
  const sources = [numberAt(merge, 'source_project_id'), numberAt(merge, 'target_project_id')]
  return {
    number: needNumber(merge, 'iid'),
    title: textAt(merge, 'title'),
    author: textAt(merge, 'author.username'),
    authorId: numberAt(merge, 'author.id'),
    member: false,
    url: urlAt(merge, 'web_url'),
    base: shaAt(merge, 'diff_refs.start_sha'),
    target: needBranch(merge, 'target_branch'),
    head: needSha(merge, 'sha'),
    source: textAt(merge, 'source_branch'),
    fork: sources[0] === null || sources[0] !== sources[1],
    updated: timeAt(merge, 'updated_at'),
  }
}

export function gitlabForgeApi(place: ForgeAddress, credential: Credential): ForgeApi {
  const client = new Client(`${place.server}/api/v4`, async () => ({
    Authorization: `Bearer ${await credential()}`,
  }))
  return new GitLabApi(client, place)
}
