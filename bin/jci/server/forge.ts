// The calls to a Gitea or Forgejo: commit statuses and tokens.

import { pauseIn } from '../../../lib/forge/pause.ts'
import { credentialEnvironment } from '../../../lib/git/credential.ts'
import type { Job, ToldStatus } from './jobs.ts'

export interface ForgeSettings {
  /** The address without a slash at its end. */
  readonly address: string
  readonly user: string
  readonly token: string
  /** Where runs are shown, without a slash at its end: statuses link there, if set. It may have `{owner}` and `{repo}` in it. */
  readonly web: string | undefined
}

/** The forge said no. */
export class ForgeRefusal extends Error {
  readonly status: number
  /** In how many milliseconds it wants to be asked again; 0 where it does not say. */
  readonly later: number

  constructor(status: number, what: string, later = 0) {
    super(`the forge answered ${status} to ${what}`)
    this.status = status
    this.later = later
  }
}

const FORGE_TIMEOUT_MS = 15_000
const CONTEXT = 'jci'
/** The forge names times in whole seconds. */
const CLOCK_SLACK_MS = 2000

export class ForgeClient {
  readonly #settings: ForgeSettings

  constructor(settings: ForgeSettings) {
    this.#settings = settings
  }

  /** The environment in which git is let in. */
  get gitCredential(): Record<string, string> {
    const { address, user, token } = this.#settings
    return credentialEnvironment(new URL(address).origin, user, token)
  }

  /** The value of the header by which calls about tokens, and git by way of the door, are let in. */
  get basic(): string {
    const { user, token } = this.#settings
    return `Basic ${Buffer.from(`${user}:${token}`).toString('base64')}`
  }

  repositoryUrl({ owner, repo }: Pick<Job, 'owner' | 'repo'>): string {
    return `${this.#settings.address}/${owner}/${repo}.git`
  }

  /** As `repositoryUrl`, with a credential inside. */
  urlWith(job: Pick<Job, 'owner' | 'repo'>, password: string): string {
    const url = new URL(this.repositoryUrl(job))
    url.username = this.#settings.user
    url.password = password
    return url.href
  }

  async tell(job: Job, { state, description }: ToldStatus): Promise<void> {
    const web = this.#settings.web?.replaceAll('{owner}', job.owner).replaceAll('{repo}', job.repo)
    const target = web === undefined ? {} : { target_url: `${web}/jci/${job.commit}` }
    const body = { state, description, context: CONTEXT, ...target }
    await this.#call('POST', `/repos/${job.owner}/${job.repo}/statuses/${job.commit}`, body)
  }

  /** True if the newest status of ours says this: it was told before a crash, and not of an earlier job of the same commit. */
  async hasBeenTold(job: Job, { state, description }: ToldStatus): Promise<boolean> {
    const path = `/repos/${job.owner}/${job.repo}/statuses/${job.commit}?sort=recentupdate&limit=50`
    const { body, at } = await this.#ask('GET', path)
    // Two spans of time are compared, each measured on one clock: the forge's may be another than ours.
    const age = Date.now() - job.received
    const isNew = (created: unknown) => at - Date.parse(String(created)) <= age + CLOCK_SLACK_MS
    const ours = (body as Record<string, unknown>[])
      .filter(one => one['context'] === CONTEXT && isNew(one['created_at']))
      .sort((a, b) => Number(b['id']) - Number(a['id']))[0]
    return ours?.['status'] === state && ours['description'] === description
  }

  async createToken(name: string): Promise<string> {
    const path = `/users/${encodeURIComponent(this.#settings.user)}/tokens`
    const made = (await this.#call('POST', path, { name, scopes: ['write:repository'] })) as { sha1: string }
    return made.sha1
  }

  /** One that is gone is as good as deleted. */
  async deleteToken(name: string): Promise<void> {
    const path = `/users/${encodeURIComponent(this.#settings.user)}/tokens/${encodeURIComponent(name)}`
    await this.#call('DELETE', path).catch((error: unknown) => {
      if (!(error instanceof ForgeRefusal && error.status === 404)) throw error
    })
  }

  /** The names of the user's tokens. */
  async tokenNames(): Promise<string[]> {
    const names = new Set<string>()
    for (let page = 1; ; page++) {
      const path = `/users/${encodeURIComponent(this.#settings.user)}/tokens?limit=50&page=${page}`
      const found = (await this.#call('GET', path)) as { name: string }[]
      const before = names.size
      for (const { name } of found) names.add(name)
      // A forge may give fewer at a time than it is asked for, or always all.
      if (names.size === before) return [...names]
    }
  }

  async #call(method: string, path: string, body?: object): Promise<unknown> {
    return (await this.#ask(method, path, body)).body
  }

  /** The forge's answer, and when that was on its own clock, in milliseconds. */
  async #ask(method: string, path: string, body?: object): Promise<{ body: unknown; at: number }> {
    const { address, token } = this.#settings
    const response = await fetch(`${address}/api/v1${path}`, {
      method,
      headers: {
        Accept: 'application/json',
        // Tokens are made with a password, in whose place a forge takes a token.
        Authorization: path.startsWith('/users/') ? this.basic : `token ${token}`,
        ...(body ? { 'Content-Type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
      redirect: 'error',
      signal: AbortSignal.timeout(FORGE_TIMEOUT_MS),
    })
    const text = await response.text()
    if (!response.ok) {
      throw new ForgeRefusal(
        response.status,
        `${method} ${path.split('?', 1)[0]!}`,
        pauseIn(response.headers),
      )
    }
    const date = Date.parse(response.headers.get('date') ?? '')
    return { body: text === '' ? undefined : JSON.parse(text), at: Number.isNaN(date) ? Date.now() : date }
  }
}
