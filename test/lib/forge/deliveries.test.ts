import { createHmac } from 'node:crypto'

import fc from 'fast-check'
import { test } from 'tap'

import { BadDelivery } from '../../../lib/forge/forge.ts'
import type { ChangeWish, Wish } from '../../../lib/forge/forge.ts'
import { parseForge } from '../../../lib/forge/parse-forge.ts'
import * as sent from '../../fixtures/forges/payloads.ts'
import type { Delivery } from '../../fixtures/forges/payloads.ts'

const GITHUB = parseForge('github:Codertocat/Hello-World')
const GITEA = parseForge('gitea:http://gitea.test/gitea/webhooks')
const FORGEJO = parseForge('forgejo:http://gitea.test/gitea/webhooks')
const GITLAB = parseForge('gitlab:http://gitlab.test/mike/sub/diaspora')
const { base, head, old } = sent.GITEA_IDS

const readAs = (forge: typeof GITHUB, { headers, body }: Delivery): Wish => forge.read(headers, body)
const changed = (wish: Wish): ChangeWish => {
  if (wish.kind !== 'change') throw new Error(`it is ${wish.kind}`)
  return wish
}

test("GitHub's own examples of pushes are read", async t => {
  for (const payload of sent.gitHubExamples('push')) {
    const wish = readAs(GITHUB, sent.fromGitHub('push', payload))
    const gone = payload.deleted === true
    t.same(wish, {
      kind: 'push',
      repository: 'Codertocat/Hello-World',
      ref: payload.ref,
      before: gone ? '6113728f27ae82c7b1a177c8d03f9e96e0adf246' : null,
      after: gone ? null : '6113728f27ae82c7b1a177c8d03f9e96e0adf246',
      author: 'Codertocat',
    })
  }
})

test("GitHub's own examples of pull requests are read", async t => {
  const wishes = sent
    .gitHubExamples('pull_request')
    .map(
      payload => [String(payload.action), readAs(GITHUB, sent.fromGitHub('pull_request', payload))] as const,
    )
  const count = (kind: string) => wishes.filter(([, wish]) => wish.kind === kind).length
  t.equal(count('change') + count('nothing'), 29)
  const actions = wishes.flatMap(([given, wish]) =>
    wish.kind === 'change' ? [`${given} ${wish.action}`] : [],
  )
  t.same(
    [...new Set(actions)].sort(),
    ['closed closed', 'opened opened', 'reopened reopened', 'synchronize updated'],
    'nothing else is acted on',
  )
  t.equal(actions.length, 9)
  const opened = changed(wishes.find(([given]) => given === 'opened')![1])
  t.same(opened.change, {
    number: 2,
    title: 'Update the README with new information.',
    author: 'Codertocat',
    authorId: 21031067,
    member: true,
    url: 'https://github.com/Codertocat/Hello-World/pull/2',
    base: 'f95f852bd8fca8fcc58a9a2d6c842781e32a215e',
    target: 'master',
    head: 'ec26c3e57ca3a959ca5aad62de7213c562f8c821',
    source: 'changes',
    fork: false,
    updated: Date.parse('2019-05-15T15:20:33Z'),
  })
})

test('every other event of GitHub is of no interest, and a ping is one', async t => {
  for (const event of sent.gitHubEvents().filter(name => !['push', 'pull_request'].includes(name))) {
    for (const payload of sent.gitHubExamples(event)) {
      const { kind } = readAs(GITHUB, sent.fromGitHub(event, payload))
      t.equal(kind, event === 'ping' ? 'ping' : 'nothing', event)
    }
  }
})

test('what the examples lack: a fork, one that is gone, merged, another target, a stranger, a form', async t => {
  const like = (over: object, top: object = {}) => {
    const payload = sent.gitHubExamples('pull_request').find(({ action }) => action === 'opened')!
    return { ...payload, ...top, pull_request: { ...(payload.pull_request as object), ...over } }
  }
  const pull = like({}).pull_request as unknown as { head: { repo: { id: number } } }
  const read = (payload: unknown) => changed(readAs(GITHUB, sent.fromGitHub('pull_request', payload)))
  t.equal(read(like({ head: { ...pull.head, repo: { ...pull.head.repo, id: 9 } } })).change.fork, true)
  t.equal(read(like({ head: { ...pull.head, repo: null } })).change.fork, true, 'a deleted fork is a fork')
  t.equal(read(like({ merged: true }, { action: 'closed' })).action, 'closed')
  t.equal(read(like({}, { action: 'edited', changes: { base: { ref: { from: 'x' } } } })).action, 'updated')
  t.equal(read(like({}, { action: 'edited', changes: { ref: { from: 'x' } } })).action, 'updated', 'Gitea')
  const titled = like({}, { action: 'edited', changes: { title: { from: 'x' } } })
  t.equal(readAs(GITHUB, sent.fromGitHub('pull_request', titled)).kind, 'nothing')
  t.equal(read(like({ author_association: 'FIRST_TIME_CONTRIBUTOR' })).change.member, false)
  const form = new URLSearchParams({ payload: JSON.stringify(like({})) }).toString()
  const headers = new Headers({
    'Content-Type': 'application/x-www-form-urlencoded',
    'X-GitHub-Event': 'pull_request',
    'X-Hub-Signature-256': `sha256=${createHmac('sha256', sent.SECRET).update(form).digest('hex')}`,
  })
  t.ok(GITHUB.verify(headers, Buffer.from(form), sent.SECRET))
  t.equal(changed(GITHUB.read(headers, Buffer.from(form))).change.number, 2)
})

test('deliveries of Gitea and Forgejo are read', async t => {
  for (const [forge, name] of [
    [GITEA, 'Gitea'],
    [FORGEJO, 'Forgejo'],
  ] as const) {
    const from = (event: string, payload: unknown) =>
      readAs(forge, sent.fromGitea(event, payload, sent.SECRET, name))
    t.same(from('push', sent.giteaPush()), {
      kind: 'push',
      repository: 'gitea/webhooks',
      ref: 'refs/heads/main',
      before: base,
      after: head,
      author: 'ada',
    })
    t.match(from('push', sent.giteaPush({ after: '0'.repeat(40) })), { after: null })
    t.match(from('push', sent.giteaPush({ ref: 'refs/tags/v1', before: '0'.repeat(40) })), { before: null })
    for (const [given, action] of [
      ['opened', 'opened'],
      ['synchronized', 'updated'],
      ['reopened', 'reopened'],
      ['closed', 'closed'],
    ]) {
      const wish = changed(from('pull_request', sent.giteaPull(given!)))
      t.equal(wish.action, action)
      t.same(wish.change, {
        number: 5,
        title: 'Say yes or no',
        author: 'ada',
        authorId: 7,
        member: false,
        url: 'http://gitea.test/gitea/webhooks/pulls/5',
        base,
        target: 'main',
        head,
        source: 'yes',
        fork: true,
        updated: null,
      })
    }
    t.equal(from('pull_request', sent.giteaPull('label_updated')).kind, 'nothing')
    t.equal(from('issues', {}).kind, 'nothing')
  }
})

test('deliveries of GitLab are read', async t => {
  const from = (payload: unknown) => readAs(GITLAB, sent.fromGitLab('some hook', payload))
  t.same(from(sent.gitlabPush()), {
    kind: 'push',
    repository: 'mike/sub/diaspora',
    ref: 'refs/heads/master',
    before: base,
    after: head,
    author: 'jsmith',
  })
  t.match(from(sent.gitlabPush({ object_kind: 'tag_push', ref: 'refs/tags/v1' })), { ref: 'refs/tags/v1' })
  const change = {
    number: 1,
    title: 'MS-Viewport',
    author: 'root',
    authorId: 51,
    member: false,
    url: 'http://gitlab.test/mike/sub/diaspora/-/merge_requests/1',
    base: null,
    target: 'master',
    head,
    source: 'ms-viewport',
    fork: true,
    updated: null,
  }
  for (const [given, over, changes, action] of [
    ['open', {}, {}, 'opened'],
    ['reopen', {}, {}, 'reopened'],
    ['close', {}, {}, 'closed'],
    ['merge', {}, {}, 'closed'],
    ['update', { oldrev: old }, {}, 'updated'],
    ['update', {}, { target_branch: { previous: 'a', current: 'master' } }, 'updated'],
  ] as const) {
    const wish = changed(from(sent.gitlabMerge(given, over, changes)))
    t.equal(wish.action, action)
    t.same(wish.change, change)
  }
  t.equal(from(sent.gitlabMerge('update')).kind, 'nothing', 'labels are of no interest')
  t.equal(from(sent.gitlabMerge('approved')).kind, 'nothing')
  t.equal(from({ object_kind: 'note' }).kind, 'nothing')
  t.equal(
    changed(from(sent.gitlabMerge('open', { author_id: 9 }))).change.author,
    '',
    'another person did it',
  )
  t.equal(changed(from(sent.gitlabMerge('open', { source_project_id: 15 }))).change.fork, false)
})

test('only whoever knows the secret is believed', async t => {
  const standard = (body: Buffer, secret: string): Headers => {
    const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
    const signed = createHmac('sha256', key).update(`id7.1700000000.`).update(body).digest('base64')
    return new Headers({
      'webhook-id': 'id7',
      'webhook-timestamp': '1700000000',
      'webhook-signature': `v1,${Buffer.from('other').toString('base64')} v1,${signed}`,
    })
  }
  const body = Buffer.from(JSON.stringify(sent.gitlabPush()))
  const whsec = `whsec_${Buffer.from('0123456789').toString('base64')}`
  const cases = [
    [GITHUB, sent.fromGitHub('push', { a: 1 }), 'x-hub-signature-256', sent.SECRET],
    [GITEA, sent.fromGitea('push', { a: 1 }), 'x-gitea-signature', sent.SECRET],
    [FORGEJO, sent.fromGitea('push', { a: 1 }, sent.SECRET, 'Forgejo'), 'x-forgejo-signature', sent.SECRET],
    [GITLAB, sent.fromGitLab('push', { a: 1 }), 'x-gitlab-token', sent.SECRET],
    [GITLAB, { headers: standard(body, whsec), body }, 'webhook-signature', whsec],
  ] as const
  for (const [forge, { headers, body }, header, secret] of cases) {
    t.equal(forge.verify(headers, body, secret), true, header)
    t.equal(forge.verify(headers, body, secret.toUpperCase()), false, `${header}: another secret`)
    t.equal(forge.verify(headers, body, ''), false, `${header}: no secret`)
    if (header !== 'x-gitlab-token') {
      t.equal(forge.verify(headers, body.subarray(0, -1), secret), false, `${header}: a truncated body`)
    }
    for (const wrong of [
      '',
      'sha256=',
      'x',
      'v1,',
      headers.get(header)!.slice(0, -2),
      `${headers.get(header)}0`,
    ]) {
      const changed = new Headers(headers)
      changed.set(header, wrong)
      t.equal(forge.verify(changed, body, secret), false, `${header}: ${wrong}`)
    }
    const without = new Headers(headers)
    without.delete(header)
    t.equal(forge.verify(without, body, secret), false, `${header}: unsigned`)
  }
  const nothing = new Headers({ 'x-gitlab-token': '' })
  t.equal(GITLAB.verify(nothing, Buffer.from(''), ''), false, 'no secret and no token')
})

test('an id is one that can be the name of a file', async t => {
  t.equal(GITHUB.deliveryId(sent.fromGitHub('push', {}).headers), '72d3162e-cc78-11e3-81ab-4c9367dc0958')
  t.equal(GITEA.deliveryId(sent.fromGitea('push', {}).headers), 'f6266f16-1bf3-46a5-9ea4-602e06ead473')
  t.equal(
    FORGEJO.deliveryId(sent.fromGitea('push', {}, '', 'Forgejo').headers),
    'f6266f16-1bf3-46a5-9ea4-602e06ead473',
  )
  t.equal(GITLAB.deliveryId(sent.fromGitLab('push', {}).headers), 'f5e5f430-f57b-4e6e-9fac-d9128cd7232f')
  for (const id of ['', '../x', '.x', 'a/b', 'x'.repeat(200)]) {
    t.equal(GITHUB.deliveryId(new Headers({ 'X-GitHub-Delivery': id })), undefined, id)
  }
})

test('what no forge sends is refused with the name of the field', async t => {
  const pull = (over: object) => sent.giteaPull('opened', over as Record<string, unknown>)
  for (const [payload, why] of [
    [sent.giteaPush({ ref: 'refs/heads/../../x' }), 'ref is not'],
    [sent.giteaPush({ ref: 'refs/heads/a\nb' }), 'ref is not'],
    [sent.giteaPush({ ref: '--upload-pack=x' }), 'ref is not'],
    [sent.giteaPush({ ref: undefined }), 'ref is not'],
  ] as const) {
    t.throws(() => readAs(GITEA, sent.fromGitea('push', payload)), { message: new RegExp(why) })
  }
  for (const [payload, why] of [
    [pull({ number: '5' }), 'number is not'],
    [pull({ number: -1 }), 'number is not'],
    [pull({ head: { ref: 'x', sha: 'HEAD' } }), 'head.sha is not'],
    [pull({ base: { ref: 'a..b', sha: base } }), 'base.ref is not'],
    [{ action: 'opened' }, 'number is not'],
  ] as const) {
    t.throws(() => readAs(GITEA, sent.fromGitea('pull_request', payload)), { message: new RegExp(why) })
  }
  t.throws(() => GITEA.read(new Headers({ 'X-Gitea-Event': 'push' }), Buffer.from('{')), {
    message: /not JSON/,
  })
  t.match(readAs(GITEA, sent.fromGitea('push', sent.giteaPush({ ref: 'refs/notes/x' }))), { kind: 'nothing' })
  t.equal(
    changed(readAs(GITEA, sent.fromGitea('pull_request', pull({ html_url: 'javascript:alert(1)' })))).change
      .url,
    null,
  )
})

test('nothing makes the reader throw anything else', async () => {
  const events = ['push', 'pull_request']
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(...events), (body, event) => {
      for (const [forge, name] of [
        [GITHUB, 'x-github-event'],
        [GITEA, 'x-gitea-event'],
        [GITLAB, 'x-gitlab-event'],
      ] as const) {
        try {
          forge.read(new Headers({ [name]: event }), Buffer.from(body))
        } catch (error) {
          if (!(error instanceof BadDelivery)) throw error
        }
      }
    }),
  )
})
