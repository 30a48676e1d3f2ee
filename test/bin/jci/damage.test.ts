// What is damaged below refs/jci-runs is said in a line, and keeps nothing else from being shown, pushed and removed.

import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'tap'
import type { Test } from 'tap'

import { makeRunsApp } from '../../../bin/jci/web/app.ts'
import { refOf } from '../../../lib/jci/run-ref.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

/** A repository with five runs of its one commit, made by plain git, each with a file of its own; and a remote. */
class Place {
  readonly sandbox: Sandbox
  readonly commit: string
  readonly refs: readonly string[]

  constructor(t: Test) {
    const sandbox = (this.sandbox = new Sandbox(t))
    sandbox.git(sandbox.dir, 'init', '-q', '-b', 'main', 'code')
    sandbox.git(sandbox.dir, 'init', '-q', '--bare', 'remote.git')
    this.git('remote', 'add', 'origin', '../remote.git')
    this.git('commit', '-q', '--allow-empty', '-m', 'one')
    const commit = (this.commit = this.git('rev-parse', 'HEAD'))
    this.refs = [0, 1, 2, 3, 4].map(i => refOf({ commit, run: `170000000${i}-aaaa` }))
    const script = `echo ok >status.txt; echo "$0" >out; export GIT_INDEX_FILE=.git/other; git add -f status.txt out
git update-ref "$0" $(git commit-tree -m run $(git write-tree)); rm status.txt out`
    for (const ref of this.refs) sandbox.ok('sh', ['-ec', script, ref], { cwd: 'code' })
  }

  git(...args: string[]): string {
    return this.sandbox.git(this.sandbox.path('code'), ...args)
  }

  jci(...args: string[]) {
    return this.sandbox.run('bin/git-jci', args, { cwd: 'code' })
  }

  /** Removes an object, or puts something else in its place. */
  spoil(name: string, content?: string): void {
    const id = this.git('rev-parse', name)
    const path = this.sandbox.path('code/.git/objects', id.slice(0, 2), id.slice(2))
    chmodSync(path, 0o644)
    if (content === undefined) rmSync(path)
    else writeFileSync(path, content)
  }
}

test('runs with missing and broken objects', async t => {
  const place = new Place(t)
  const { refs, commit, sandbox } = place
  place.spoil(refs[0]!, 'trash')
  place.spoil(`${refs[1]!}^{tree}`)
  place.spoil(`${refs[2]!}:out`)

  const pushed = place.jci('push')
  t.match(pushed, { code: 1, stdout: '' })
  const lines = pushed.stderr.trimEnd().split('\n')
  t.match(lines, [
    /^git-jci: warning: unable to read the run '.*2-aaaa': unable to read \w+; 'git update-ref -d .*2-aaaa' removes it$/,
    /^git-jci: warning: unable to read the run '.*1-aaaa': bad tree object \w+; 'git update-ref -d .*1-aaaa' removes it$/,
    /^git-jci: warning: unable to read the run '.*0-aaaa': loose object .* is corrupt; 'git update-ref -d .*0-aaaa' removes it$/,
    /^git-jci: fatal: unable to push to 'origin': 2 runs pushed, 3 damaged$/,
  ])
  t.equal(lines.length, 4)
  const there = sandbox.git(sandbox.path('remote.git'), 'for-each-ref', '--format=%(refname)')
  t.same(there.split('\n'), refs.slice(3))

  const shown = place.jci('prune', '--older-than', '1h')
  t.match(shown, { code: 0, stderr: '' })
  t.match(
    shown.stdout,
    /4-aaaa .* B\n.*3-aaaa .* B\n.*2-aaaa .* damaged\n.*1-aaaa .* damaged\n.*0-aaaa .* damaged\n/,
  )

  const app = makeRunsApp(sandbox.path('code'), [])
  const get = async (path: string) => {
    const answer = await app.request(path, { headers: { host: 'localhost' } })
    return [answer.status, await answer.text()] as const
  }
  const [status, list] = await get('/api/commits?branch=main')
  t.equal(status, 200)
  const { commits } = JSON.parse(list) as { commits: { runs: { status: string }[] }[] }
  t.same(commits[0]!.runs.map(run => run.status), ['success', 'success', 'success', '', '']) // prettier-ignore
  t.match(await get(`/jci/${commit}/1700000000-aaaa`), [
    200,
    /Git cannot read this run: loose object .* is corrupt/,
  ])
  t.match(await get(`/jci/${commit}/1700000002-aaaa/out`), [200, 'Git cannot read it: it is damaged.'])
  t.match(await get(`/jci/${commit}/1700000002-aaaa/out/raw`), [500, 'damaged'])
  t.match(await get(`/jci/${commit}/1700000003-aaaa/out/raw`), [200, '3-aaaa'])

  // Somebody else's run can be had when git can read what is here.
  sandbox.git(sandbox.path('remote.git'), 'update-ref', refOf({ commit, run: '1700000009-aaaa' }), refs[3]!)
  t.match(place.jci('pull'), {
    code: 1,
    stderr: /unable to read the run .*0-aaaa': loose .*\n.*unable to pull from/s,
  })
  place.git('update-ref', '-d', refs[0]!)
  t.match(place.jci('pull'), { code: 0, stdout: '1 run pulled from origin\n' })

  place.git('update-ref', refOf({ commit, run: '1000000000-aaaa' }), refs[3]!)
  const pruned = place.jci('prune', '--older-than', '8000d', '--commit')
  t.match(pruned, { code: 1, stdout: /^.*1000000000-aaaa/ })
  t.match(
    pruned.stderr,
    /read the run '.*2-aaaa'.*\n.*read the run '.*1-aaaa'.*\n.*the runs are removed, but 'git gc' frees/,
  )
  t.notMatch(place.git('for-each-ref'), '1000000000-aaaa')
  t.match(place.jci('prune', '--older-than', '1h', '--commit'), { code: 0, stderr: '' })
  t.equal(place.git('for-each-ref', 'refs/jci-runs'), '')
})

test('a ref that holds no id', async t => {
  const place = new Place(t)
  const file = place.sandbox.path('code/.git', place.refs[0]!)
  const line =
    /^git-jci: warning: unable to read the ref '.*0-aaaa': no id is in it; 'rm "\$\(git rev-parse --git-path .*0-aaaa\)"' removes it\n$/
  for (const content of ['', 'trash\n']) {
    writeFileSync(file, content)
    t.match(place.jci('prune', '--older-than', '1h'), { code: 0, stdout: '4 runs, ', stderr: line })
  }
  t.match(place.jci('push'), { code: 0, stdout: '4 runs pushed to origin\n', stderr: line })
  const pruned = place.jci('prune', '--older-than', '1h', '--commit')
  t.match(pruned, { code: 1, stderr: /the runs are removed, but 'git gc' frees nothing: bad object refs/ })
  // As it is said there.
  place.sandbox.ok('sh', ['-c', `rm "$(git rev-parse --git-path ${place.refs[0]!})"`], { cwd: 'code' })
  t.match(place.jci('prune', '--older-than', '1h', '--commit'), {
    code: 0,
    stdout: '0 runs, 0 B\n',
    stderr: '',
  })
})
