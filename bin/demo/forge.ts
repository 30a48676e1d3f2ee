// A stand-in for a Gitea with one repository, on a port of this host: git over HTTP, the part of the API that BASS calls,
// one page, and webhooks. For the demo: what it holds is gone with it.

import { createHmac, randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

import { makeDirectories } from '../../lib/system/directories.ts'
import { git, tryGit } from '../../lib/git/process.ts'
import { changePage } from './forge-page.ts'
import type { DemoCheck } from './forge-page.ts'
import { serveGit } from './git-http.ts'

interface Answer {
  readonly status: number
  readonly body: unknown
}

interface Hook {
  readonly id: number
  readonly type: string
  readonly active: boolean
  readonly events: readonly string[]
  readonly config: { readonly url: string; readonly content_type: string; readonly secret?: string }
}

/** Who has the repository, and who has a fork of it and may push to it. */
export const DEMO_OWNER = 'demo'
export const AUTHOR = 'ada'

const FORGE_BODY_MAX = 1 << 20

export class DemoForge {
  readonly root: string
  /** Called for each status that is set. */
  onStatus: (sha: string, check: DemoCheck) => void = () => undefined
  readonly #token: string
  readonly #server: Server
  readonly #hooks: Hook[] = []
  readonly #checks = new Map<string, Map<string, DemoCheck>>()
  #change: { readonly head: string; readonly branch: string; readonly title: string } | undefined
  #statuses = 0

  private constructor(root: string, token: string) {
    this.root = root
    this.#token = token
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        if (!response.headersSent) response.writeHead(500)
        response.end(`${String(error)}\n`)
      })
    })
  }

  /** Opens a forge below `root`, with the repository `demo/site`, which is the branch `main` of `work`, and a fork of it. */
  static async open(root: string, work: string, token: string): Promise<DemoForge> {
    const forge = new DemoForge(root, token)
    for (const who of [DEMO_OWNER, AUTHOR]) {
      makeDirectories(join(root, who))
      git(root, 'clone', '-q', '--bare', '--single-branch', '--branch', 'main', work, forge.repository(who))
    }
    await new Promise<void>((done, failed) => {
      forge.#server.on('error', failed).listen(0, '127.0.0.1', done)
    })
    return forge
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  repository(who: string): string {
    return join(this.root, who, 'site.git')
  }

  /** The checks of a commit. */
  checksOf(sha: string): DemoCheck[] {
    return [...(this.#checks.get(sha)?.values() ?? [])]
  }

  /** Opens the pull request of a branch of the fork; returns what became of the delivery to each webhook. */
  async openChange(branch: string): Promise<string[]> {
    const ref = 'refs/pull/1/head'
    const repository = this.repository(DEMO_OWNER)
    git(repository, 'fetch', '-q', this.repository(AUTHOR), `+refs/heads/${branch}:${ref}`)
    const head = git(repository, 'rev-parse', ref)
    this.#change = { head, branch, title: git(repository, 'log', '-1', '--format=%s', head) }
    const body = JSON.stringify({
      action: 'opened',
      number: 1,
      pull_request: this.#pull(),
      repository: this.#repo(DEMO_OWNER),
      sender: { id: 2, login: AUTHOR },
    })
    return Promise.all(this.#hooks.map(hook => deliver(hook, body)))
  }

  /** The pull request, as the API shows it. */
  #pull() {
    const { head, branch, title } = this.#change!
    const base = git(this.repository(DEMO_OWNER), 'rev-parse', 'refs/heads/main')
    return {
      number: 1,
      title,
      state: 'open',
      user: { id: 2, login: AUTHOR },
      html_url: `${this.url}/${DEMO_OWNER}/site/pulls/1`,
      merge_base: base,
      base: { ref: 'main', label: 'main', sha: base, repo_id: 1, repo: this.#repo(DEMO_OWNER) },
      head: { ref: branch, label: branch, sha: head, repo_id: 2, repo: this.#repo(AUTHOR) },
    }
  }

  #repo(who: string) {
    const html = `${this.url}/${who}/site`
    const permissions = { admin: true, push: true, pull: true }
    return {
      id: who === DEMO_OWNER ? 1 : 2,
      name: 'site',
      full_name: `${who}/site`,
      html_url: html,
      clone_url: `${html}.git`,
      default_branch: 'main',
      fork: who !== DEMO_OWNER,
      permissions,
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? '/', this.url)
    if (/^\/\w+\/site\.git\//.test(pathname)) serveGit(this.root, request, response)
    else if (pathname.startsWith('/api/v1/')) await this.#serveApi(request, response, pathname)
    else this.#servePage(response, pathname)
  }

  async #serveApi(request: IncomingMessage, response: ServerResponse, pathname: string): Promise<void> {
    const known = request.headers.authorization === `token ${this.#token}`
    const length = Number(request.headers['content-length'] ?? 0)
    const { status, body } = !known
      ? { status: 401, body: { message: 'token is required' } }
      : length > FORGE_BODY_MAX || request.headers['transfer-encoding']
        ? { status: 413, body: { message: 'too large' } }
        : this.#answer(`${request.method} ${pathname.slice('/api/v1'.length)}`, await text(request))
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
  }

  #answer(call: string, body: string): Answer {
    const repo = `/repos/${DEMO_OWNER}/site`
    const sha = /^POST \/repos\/demo\/site\/statuses\/([0-9a-f]{40,64})$/.exec(call)?.[1]
    if (sha !== undefined) return this.#setStatus(sha, JSON.parse(body) as DemoCheck)
    switch (call) {
      case `GET ${repo}`:
        return { status: 200, body: this.#repo(DEMO_OWNER) }
      case `GET ${repo}/hooks`:
        return { status: 200, body: this.#hooks.map(shownHook) }
      case `POST ${repo}/hooks`:
        return this.#addHook(JSON.parse(body) as Hook)
      case `GET ${repo}/pulls`:
        return { status: 200, body: this.#change ? [this.#pull()] : [] }
      case `GET ${repo}/collaborators/${AUTHOR}/permission`:
        return { status: 200, body: { permission: 'write', role_name: 'write' } }
      default:
        return { status: 404, body: { message: 'not found' } }
    }
  }

  #setStatus(sha: string, { context, state, description, target_url }: DemoCheck): Answer {
    const check = { context, state, description, target_url: target_url ?? null }
    const ofCommit = this.#checks.get(sha) ?? new Map<string, DemoCheck>()
    this.#checks.set(sha, ofCommit.set(context, check))
    this.onStatus(sha, check)
    const body = { id: ++this.#statuses, context, description, target_url: target_url ?? '', status: state }
    return { status: 201, body }
  }

  #addHook({ type, active, events, config }: Hook): Answer {
    const hook = { id: this.#hooks.length + 1, type, active, events, config }
    this.#hooks.push(hook)
    return { status: 201, body: shownHook(hook) }
  }

  /** The page of the change, or before that of main; files and commits as plain text, as links of BASS lead to them. */
  #servePage(response: ServerResponse, pathname: string): void {
    const repository = this.repository(DEMO_OWNER)
    const [, commit] = /^\/demo\/site\/commit\/([0-9a-f]{40,64})$/.exec(pathname) ?? []
    const [, at, file] = /^\/demo\/site\/src\/commit\/([0-9a-f]{40,64})\/(.+)$/.exec(pathname) ?? []
    const object = commit ?? (file === undefined ? undefined : `${at}:${decodeURIComponent(file)}`)
    if (object !== undefined) {
      const shown = tryGit(repository, 'show', '--end-of-options', object)
      response.writeHead(shown === undefined ? 404 : 200, { 'Content-Type': 'text/plain; charset=utf-8' })
      response.end(shown ?? 'not here\n')
      return
    }
    const head = this.#change?.head ?? git(repository, 'rev-parse', 'refs/heads/main')
    const main = git(repository, 'log', '-1', '--format=%s', head)
    const page = changePage({
      title: this.#change?.title ?? main,
      about: this.#change ? `#1: ${AUTHOR} wants to merge ${this.#change.branch} into main` : 'main',
      head,
      checks: this.checksOf(head),
    })
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end(page)
  }
}

/** The secret is for whoever set it. */
const shownHook = ({ config: { url, content_type }, ...hook }: Hook) => ({
  ...hook,
  config: { url, content_type },
})

/** Sends a delivery as Gitea does; returns its address, and what was answered after how long. */
async function deliver({ config: { url, secret = '' } }: Hook, body: string): Promise<string> {
  const began = performance.now()
  const headers = {
    'Content-Type': 'application/json',
    'X-Gitea-Event': 'pull_request',
    'X-Gitea-Delivery': randomUUID(),
    'X-Gitea-Signature': createHmac('sha256', secret).update(body).digest('hex'),
  }
  const answer = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(10_000) })
  const milliseconds = (performance.now() - began).toFixed(0)
  return `${url}: ${answer.status} after ${milliseconds} ms, ${(await answer.text()).trim()}`
}
