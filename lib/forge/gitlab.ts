// GitLab, gitlab.com or a server of one's own.

import type { Change, ChangeWish, Forge, ForgeAddress, Wish } from './forge.ts'
import { encodePath } from './github.ts'
import { isSameSecret } from '../base/same.ts'
import { field, hmac, idIn, needBranch, needNumber, needRef, needSha } from './payload.ts'
import { numberAt, readPayload, shaAt, textAt, timeAt, urlAt } from './payload.ts'

export function gitlab(place: ForgeAddress): Forge {
  const page = `${place.server}/${place.path}`
  return {
    place,
    page,
    cloneUrl: `${page}.git`,
    commitPage: sha => `${page}/-/commit/${sha}`,
    changePage: number => `${page}/-/merge_requests/${number}`,
    filePage: (sha, path) => `${page}/-/blob/${sha}/${encodePath(path)}`,
    changeRef: number => `refs/merge-requests/${number}/head`,
    // The first is the same when a delivery is sent again.
    deliveryId: headers => idIn(headers, 'idempotency-key', 'webhook-id', 'x-gitlab-event-uuid'),
    verify,
    read: (headers, body) => readEvent(readPayload(headers, body)),
  }
}

/** Either signed (Standard Webhooks), or with the plain secret as its token. */
function verify(headers: Headers, body: Uint8Array, secret: string): boolean {
  if (secret === '') return false
  const given = headers.get('webhook-signature')
  if (given !== null) return isSigned(given, headers, body, secret)
  return isSameSecret(headers.get('x-gitlab-token') ?? '', secret)
}

function isSigned(given: string, headers: Headers, body: Uint8Array, secret: string): boolean {
  const head = `${headers.get('webhook-id') ?? ''}.${headers.get('webhook-timestamp') ?? ''}.`
  const key = secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : secret
  const wanted = `v1,${hmac(Buffer.concat([Buffer.from(head), body]), key).toString('base64')}`
  return given.split(' ').some(one => isSameSecret(one, wanted))
}

function readEvent(payload: unknown): Wish {
  const kind = textAt(payload, 'object_kind')
  if (kind === 'merge_request') return readMergeRequest(payload)
  if (kind !== 'push' && kind !== 'tag_push') {
    return { kind: 'nothing', why: kind === '' ? 'it names no event' : `${kind} is of no interest` }
  }
  return {
    kind: 'push',
    repository: textAt(payload, 'project.path_with_namespace'),
    ref: needRef(payload, 'ref'),
    before: shaAt(payload, 'before'),
    after: shaAt(payload, 'after'),
    author: textAt(payload, 'user_username'),
  }
}

function readMergeRequest(payload: unknown): Wish {
  const given = textAt(payload, 'object_attributes.action')
  const action = actionOf(given, payload)
  if (action === undefined) return { kind: 'nothing', why: `merge_request ${given} is of no interest` }
  return {
    kind: 'change',
    repository: textAt(payload, 'project.path_with_namespace'),
    action,
    change: readChange(payload),
  }
}

/** `update` is said of labels as well: only with `oldrev`, or another target, is there something to build. */
function actionOf(given: string, payload: unknown): ChangeWish['action'] | undefined {
  if (given === 'open') return 'opened'
  if (given === 'reopen') return 'reopened'
  if (given === 'close' || given === 'merge') return 'closed'
  const moved =
    shaAt(payload, 'object_attributes.oldrev') !== null ||
    field(payload, 'changes.target_branch') !== undefined
  return given === 'update' && moved ? 'updated' : undefined
}

function readChange(payload: unknown): Change {
  const attributes = field(payload, 'object_attributes')
  const author = numberAt(attributes, 'author_id')
  const sources = [numberAt(attributes, 'source_project_id'), numberAt(attributes, 'target_project_id')]
  return {
    number: needNumber(attributes, 'iid'),
    title: textAt(attributes, 'title'),
    // `user` is the one who did this, not necessarily the author.
    author: numberAt(payload, 'user.id') === author ? textAt(payload, 'user.username') : '',
    authorId: author,
    member: false,
    url: urlAt(attributes, 'url'),
    base: null,
    target: needBranch(attributes, 'target_branch'),
    head: needSha(attributes, 'last_commit.id'),
    source: textAt(attributes, 'source_branch'),
    fork: sources[0] === null || sources[0] !== sources[1],
    updated: timeAt(attributes, 'updated_at'),
  }
}
