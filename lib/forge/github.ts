// GitHub, github.com or an Enterprise Server.

import type { Change, ChangeWish, Forge, ForgeAddress, PushWish, Wish } from './forge.ts'
import { idIn, isSignature, needBranch, needNumber, needRef, needSha, readPayload } from './payload.ts'
import { field, numberAt, shaAt, textAt, timeAt, urlAt } from './payload.ts'

/** The values of `author_association` for members of a repository; private members may show as less. */
const MEMBERS = ['OWNER', 'MEMBER', 'COLLABORATOR']

const ACTIONS: Record<string, ChangeWish['action']> = {
  opened: 'opened',
  synchronize: 'updated',
  // The name that Gitea and Forgejo use.
  synchronized: 'updated',
  reopened: 'reopened',
  closed: 'closed',
}

export function github(place: ForgeAddress): Forge {
  const page = `${place.server}/${place.path}`
  return {
    place,
    page,
    cloneUrl: `${page}.git`,
    commitPage: sha => `${page}/commit/${sha}`,
    changePage: number => `${page}/pull/${number}`,
    filePage: (sha, path) => `${page}/blob/${sha}/${encodePath(path)}`,
    changeRef: pullRef,
    deliveryId: headers => idIn(headers, 'x-github-delivery'),
    verify: (headers, body, secret) =>
      isSignature(/^sha256=(.*)$/.exec(headers.get('x-hub-signature-256') ?? '')?.[1], body, secret),
    read: (headers, body) => readPullLike(headers.get('x-github-event') ?? '', headers, body),
  }
}

export const pullRef = (number: number): string => `refs/pull/${number}/head`

export const encodePath = (path: string): string => path.split('/').map(encodeURIComponent).join('/')

/** Reads a delivery of GitHub, or of a forge that has the same pushes and pull requests. */
export function readPullLike(event: string, headers: Headers, body: Uint8Array): Wish {
  if (event === 'push') return readPush(readPayload(headers, body))
  if (event === 'pull_request' || event === 'pull_request_sync') {
    return readPullRequest(readPayload(headers, body))
  }
  if (event === 'ping') return { kind: 'ping' }
  return {
    kind: 'nothing',
    why: event === '' ? 'it names no event' : `${textAt({ event }, 'event')} is of no interest`,
  }
}

function readPush(payload: unknown): PushWish | Extract<Wish, { kind: 'nothing' }> {
  const ref = needRef(payload, 'ref')
  if (!/^refs\/(?:heads|tags)\//.test(ref))
    return { kind: 'nothing', why: `${ref} is neither a branch nor a tag` }
  return {
    kind: 'push',
    repository: textAt(payload, 'repository.full_name'),
    ref,
    before: shaAt(payload, 'before'),
    after: shaAt(payload, 'after'),
    author:
      textAt(payload, 'pusher.login') || textAt(payload, 'pusher.name') || textAt(payload, 'sender.login'),
  }
}

function readPullRequest(payload: unknown): Wish {
  const given = textAt(payload, 'action')
  const action = given === 'edited' && isRetargeted(payload) ? 'updated' : ACTIONS[given]
  if (action === undefined) return { kind: 'nothing', why: `pull_request ${given} is of no interest` }
  return {
    kind: 'change',
    repository: textAt(payload, 'repository.full_name'),
    action,
    change: pullRequest(field(payload, 'pull_request')),
  }
}

/** True if a change has another target: GitHub names the old one in `changes.base`, Gitea and Forgejo in `changes.ref`. */
const isRetargeted = (payload: unknown): boolean =>
  ['changes.base', 'changes.ref'].some(path => field(payload, path) !== undefined)

/** A pull request as GitHub, Gitea and Forgejo show it, in deliveries and answers alike. Throws BadDelivery. */
export function pullRequest(pull: unknown): Change {
  return {
    number: needNumber(pull, 'number'),
    title: textAt(pull, 'title'),
    author: textAt(pull, 'user.login'),
    authorId: numberAt(pull, 'user.id'),
    member: MEMBERS.includes(textAt(pull, 'author_association')),
    url: urlAt(pull, 'html_url'),
    base: shaAt(pull, 'base.sha'),
    target: needBranch(pull, 'base.ref'),
    head: needSha(pull, 'head.sha'),
    source: textAt(pull, 'head.ref'),
    fork: isFork(pull),
    updated: timeAt(pull, 'updated_at'),
  }
}

/** A change comes from outside unless its head is in the same repository; the head of a deleted fork is null. */
function isFork(pull: unknown): boolean {
  const [head, base] = [numberAt(pull, 'head.repo.id'), numberAt(pull, 'base.repo.id')]
  return head === null || head !== base
}
