// A change gets a new head while the old one is tested: all programs together, from the delivery to the checks on the forge.

import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { test } from 'tap'

import { fromGitea, giteaPull } from '../fixtures/forges/payloads.ts'
import { StandIn } from '../fixtures/forges/stand-in.ts'
import { processesWith } from '../../lib/system/process.ts'
import { eventually, Sandbox } from '../fixtures/sandbox.ts'

const SECRET = 'a secret that nobody knows'

test('a new head ends the work for the old one, and the forge shows no check of it as pending', async t => {
  const standIn = await StandIn.open(t, 'gitea')
  const sandbox = new Sandbox(t)
  const [remote, work] = [sandbox.path('forge/o/r.git'), sandbox.path('work')]
  // Git is led to the repository here; the API is the stand-in.
  writeFileSync(
    sandbox.path('.gitconfig'),
    `[url "${sandbox.path('forge')}/"]\n\tinsteadOf = ${standIn.url}/\n`,
  )
  sandbox.git(sandbox.dir, 'init', '-q', '--bare', '-b', 'main', remote)
  sandbox.git(sandbox.dir, 'init', '-q', '-b', 'main', work)
  const commit = (files: Record<string, string>, ref: string) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(work, name), text)
    sandbox.git(work, 'add', '-A')
    sandbox.git(work, 'commit', '-q', '-m', 'a change')
    sandbox.git(work, 'push', '-q', '--force', remote, `HEAD:${ref}`)
    return sandbox.git(work, 'rev-parse', 'HEAD')
  }
  const base = commit({ Testfile: 'all: test ! -e slow || sleep 6543\n' }, 'refs/heads/main')

  sandbox.ok('bin/bass', ['init', 'spool', '--project', 'hello', '--forge', standIn.forge])
  const conf = sandbox.path('spool/conf/hello')
  writeFileSync(join(conf, 'forge.secret'), SECRET + '\n')
  writeFileSync(join(conf, 'forge.token'), 'a_token\n', { mode: 0o600 })
  appendFileSync(join(conf, 'rc'), 'ARCHS=testarch\nFORGE_TRUST=all\nFORGE_POLL=0\n')
  const up = sandbox.start('bin/bass', ['up', 'spool', '--takers', '1', '--web'], {
    env: {
      REPORTER_LISTEN: '127.0.0.1:0',
      REPORTER_URL: 'https://ci.test/',
      MARK: sandbox.dir,
    },
  })
  const pages = await eventually('the pages', () => /http:\/\/127[\d.:]+/.exec(up.stdout())?.[0], 60)
  const deliver = async (action: string, sha: string) => {
    const change = giteaPull(action, { base: { ref: 'main', sha: base, repo_id: 140 } })
    const pull = change['pull_request'] as { head: object }
    pull.head = { ...pull.head, sha }
    const { headers, body } = fromGitea('pull_request', change, SECRET)
    headers.set('X-Gitea-Delivery', `${action}-${sha}`)
    const answer = await fetch(`${pages}/hooks/hello`, { method: 'POST', headers, body })
    t.equal(answer.status, 202, await answer.text())
  }
  const told = (sha: string) =>
    standIn.statuses.filter(one => one.sha === sha).map(({ state, description }) => `${state} ${description}`)
  const verdicts = (sha: string) => {
    const { recent } = JSON.parse(sandbox.ok('bin/bass', ['status', '--json'])) as {
      recent: { revision: string; job: { verdict: string } }[]
    }
    return recent.filter(({ revision }) => revision === sha).map(({ job }) => job.verdict)
  }

  const old = commit({ slow: '' }, 'refs/pull/5/head')
  await deliver('opened', old)
  await eventually('the old head runs', () => told(old).some(line => /^pending running on /.test(line)), 60)
  sandbox.git(work, 'rm', '-q', 'slow')
  const head = commit({ file: 'new' }, 'refs/pull/5/head')
  await deliver('synchronized', head)
  await eventually('the new head is tested', () => told(head).at(-1)?.startsWith('success'), 60)
  await eventually('the old one is over', () => told(old).at(-1)?.startsWith('error'), 60)

  t.match(told(old).at(-1), /^error cancelled/)
  t.same(verdicts(old), ['cancelled'])
  t.same(verdicts(head), ['success'])
  t.same(standIn.lies, [])
  t.same(processesWith(`BASS_REVISION=${old}`), [], 'nothing of its step lives')
  const ended = await up.kill('SIGTERM')
  t.equal(ended.code, 0, ended.stderr + ended.stdout)
})
