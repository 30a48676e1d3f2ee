// The API of GitHub.

import { clockIn, collect, namesOf, shorten } from './api.ts'
import type { AskedChange, ChangedFiles, ForgeApi, Hook, Status, TokenFacts } from './api.ts'
import { Client, ForgeError } from './client.ts'
import { githubApi } from './credential.ts'
import type { Credential } from './credential.ts'
import type { Change, ForgeAddress } from './forge.ts'
import { encodePath, pullRequest } from './github.ts'
import { field, needNumber, textAt } from './payload.ts'

/** The most files that GitHub lists of a pull request. */
const FILES_MAX = 3000
/** The most that is read of any other list. */
const LIST_MAX = 10_000

const STATES = { cancelled: 'error', running: 'pending' } as const
const stateOnGithub = (state: Status['state']) => (STATES as Partial<Record<string, string>>)[state] ?? state

/** GitHub, as Gitea and Forgejo answer too: the paths and bodies that they have in common. */
export class PullApi implements ForgeApi {
  protected readonly client: Client
  protected readonly repo: string
  /** How a page of 100 is asked for, and the most files of a change that are listed. */
  readonly #size: string
  readonly #filesMax: number
  /** The permissions of an app's token. */
  readonly #granted: () => unknown

  constructor(
    client: Client,
    place: ForgeAddress,
    size: string,
    filesMax: number,
    granted: () => unknown = () => undefined,
  ) {
    this.#granted = granted
    this.client = client
    this.repo = `/repos/${place.path}`
    this.#size = size
    this.#filesMax = filesMax
  }

  async setStatus({ sha, context, state, description, url }: Status): Promise<void> {
    await this.client.post(`${this.repo}/statuses/${sha}`, {
      state: stateOnGithub(state),
      context,
      description: shorten(description),
      ...(url === null ? {} : { target_url: url }),
    })
  }

  async changedFiles(number: number): Promise<ChangedFiles> {
    const files = await collect(
      this.client.pages(`${this.repo}/pulls/${number}/files?${this.#size}`),
      LIST_MAX,
    )
    return { names: namesOf(files, 'filename', 'previous_filename'), complete: files.length < this.#filesMax }
  }

  async filesAt(sha: string): Promise<readonly string[] | undefined> {
    const { body } = await this.client.get(`${this.repo}/git/trees/${sha}?recursive=1`)
    if (field(body, 'truncated') === true) return undefined
    return blobsIn(field(body, 'tree'))
  }

  async readFile(sha: string, path: string): Promise<string | undefined> {
    const found = await this.client.find(`${this.repo}/contents/${encodePath(path)}?ref=${sha}`)
    const content = field(found?.body, 'content')
    if (field(found?.body, 'type') !== 'file' || typeof content !== 'string') return undefined
    return Buffer.from(content, 'base64').toString('utf8')
  }

  async openChanges(): Promise<Change[]> {
    const path = `${this.repo}/pulls?state=open&${this.#size}`
    return (await collect(this.client.pages(path), LIST_MAX)).map(pullRequest)
  }

  async change(number: number): Promise<AskedChange | undefined> {
    const found = await this.client.find(`${this.repo}/pulls/${number}`)
    return found && { ...pullRequest(found.body), open: textAt(found.body, 'state') === 'open' }
  }

  async mayPush({ author }: Change): Promise<boolean> {
    if (author === '') return false
    try {
      const who = encodeURIComponent(author)
      const { body } = await this.client.get(`${this.repo}/collaborators/${who}/permission`)
      return ['owner', 'admin', 'maintain', 'write'].includes(textAt(body, 'permission'))
    } catch (error) {
      // Not a collaborator, or nothing that this token may ask.
      if (error instanceof ForgeError && !error.later) return false
      throw error
    }
  }

  async lookAtToken(): Promise<TokenFacts> {
    const { body, headers } = await this.client.get(this.repo)
    const granted = this.#granted()
    const may = (what: string) => field(body, `permissions.${what}`) === true
    const ends = Date.parse(
      (headers.get('github-authentication-token-expiration') ?? '').replace(' UTC', 'Z').replace(' ', 'T'),
    )
    return {
      repository: textAt(body, 'full_name'),
      mayRead: true,
      mayPush: granted === undefined ? may('push') : textAt(granted, 'statuses') === 'write',
      mayAdmin: granted === undefined ? may('admin') : textAt(granted, 'repository_hooks') === 'write',
      ends: Number.isNaN(ends) ? null : ends,
      clock: clockIn(headers),
    }
  }

  async hooks(): Promise<Hook[]> {
    return (await collect(this.client.pages(`${this.repo}/hooks?${this.#size}`), LIST_MAX)).map(readHook)
  }

  async addHook(url: string, secret: string): Promise<void> {
    await this.client.post(`${this.repo}/hooks`, this.hookBody(url, secret))
  }

  protected hookBody(url: string, secret: string): Record<string, unknown> {
    return {
      name: 'web',
      active: true,
      events: ['push', 'pull_request'],
      config: { url, content_type: 'json', secret, insecure_ssl: '0' },
    }
  }
}

const blobsIn = (tree: unknown): string[] =>
  (Array.isArray(tree) ? tree : [])
    .filter(entry => field(entry, 'type') === 'blob')
    .map(entry => pathOf(entry))

const pathOf = (entry: unknown): string => (entry as { path: string }).path

function readHook(hook: unknown): Hook {
  const events = field(hook, 'events')
  const code = field(hook, 'last_response.code')
  const status = textAt(hook, 'last_response.status')
  return {
    id: needNumber(hook, 'id'),
    url: textAt(hook, 'config.url') || textAt(hook, 'url'),
    active: field(hook, 'active') === true,
    events: Array.isArray(events) ? events.filter(event => typeof event === 'string') : [],
    last:
      status === '' || status === 'unused' ? null : typeof code === 'number' ? `${status} (${code})` : status,
  }
}

export function githubForgeApi(place: ForgeAddress, credential: Credential): ForgeApi {
  const client = new Client(githubApi(place), async () => ({
    Authorization: `Bearer ${await credential()}`,
    Accept: 'application/vnd.github+json',
    'X-GitHub-Api-Version': '2022-11-28',
  }))
  return new PullApi(client, place, 'per_page=100', FILES_MAX, credential.granted)
}
