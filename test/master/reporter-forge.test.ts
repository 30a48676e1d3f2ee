import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { ask, serve } from '../fixtures/browser.ts'
import { Sandbox } from '../fixtures/sandbox.ts'
import { SpoolMaker } from '../fixtures/spool-maker.ts'

const HTML = { accept: 'text/html' }

test('pages lead to the forge that holds the code', async t => {
  const sandbox = new Sandbox(t)
  const spool = sandbox.makeSpool('tables')
  const repository = sandbox.path('tables')
  sandbox.ok('git', ['init', '-q', '-b', 'main', repository])
  sandbox.ok('git', ['commit', '-q', '--allow-empty', '-m', 'parse less'], { cwd: repository })
  const revision = sandbox.git(repository, 'rev-parse', 'HEAD')
  const maker = new SpoolMaker(spool)
  const version = `v1-1-g${revision.slice(0, 7)}`
  const steps = [{ name: '10-test', exit: '0', stdout: ['fine'] }]
  const setProject = (name: string, ...lines: string[]) => {
    mkdirSync(join(spool.root, 'conf', name), { recursive: true })
    writeFileSync(join(spool.root, 'conf', name, 'rc'), lines.map(line => `${line}\n`).join(''))
  }
  const finished = (num: number, project: string, more = {}) =>
    maker.finishedJob(`${num}:${project}:${version}:amd64`, { revision, steps, verdict: 'success', ...more })
  setProject('hub', `PROJ=${repository}`, 'FORGE=github:o/r')
  setProject('lab', `PROJ=${repository}`, 'FORGE=gitlab:https://lab.example.org/a/b/c')
  setProject('plain', `PROJ=${repository}`, 'FORGE=git:/srv/git/plain.git')
  setProject('broken', `PROJ=${repository}`, "FORGE='github:javascript:alert(1)'")
  finished(1, 'hub', { params: { CHANGE: '7', TITLE: 'Parse <less>' }, label: 'a dir/sub test' })
  finished(2, 'lab', { params: { CHANGE: '8' }, label: 'lint' })
  finished(3, 'plain', { params: { CHANGE: '9' } })
  finished(4, 'broken', { params: { CHANGE: '10' } })
  finished(5, 'lab', { params: { CHANGE: '7"><script>' } })
  finished(6, 'lab', { revision: '../../evil' })
  const { url } = await serve(sandbox)
  const linksOf = async (path: string) => {
    const { status, body } = await ask(`${url}${path}`, HTML)
    t.equal(status, 200, path)
    return [...new Set([...body.matchAll(/href="((?:http|javascript)[^"]*)"/g)].map(([, href]) => href))]
  }

  const hub = 'https://github.com/o/r'
  const [commit, change] = [`${hub}/commit/${revision}`, `${hub}/pull/7`]
  t.same(await linksOf('/job/1'), [commit, change, `${hub}/blob/${revision}/a%20dir/sub/Testfile`])
  t.same(await linksOf('/job/1/log/10-test'), [commit, change])
  t.same(await linksOf('/project/hub'), [change, commit])
  const lab = 'https://lab.example.org/a/b/c/-'
  t.same(await linksOf('/job/2'), [
    `${lab}/commit/${revision}`,
    `${lab}/merge_requests/8`,
    `${lab}/blob/${revision}/Testfile`,
  ])
  t.same(await linksOf('/job/3'), [], 'a server that is only git has no pages')
  t.same(await linksOf('/job/4'), [], 'a forge that makes no sense costs nobody the page')
  t.same(await linksOf('/job/5'), [`${lab}/commit/${revision}`], 'what is no number is no change')
  t.same(await linksOf('/job/6'), [], 'what is no commit is none on the forge')
  t.notMatch((await ask(`${url}/job/5`, HTML)).body, '7"><script>')
})
