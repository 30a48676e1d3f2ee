import { test } from 'tap'

import { readCommits } from '../../../lib/git/commit.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

test('author and subject of the revisions that the repository has', async t => {
  const sandbox = new Sandbox(t)
  const repository = sandbox.path('code')
  sandbox.git(sandbox.dir, 'init', '-q', repository)
  for (const subject of ['first: a line\n\nwith a body', 'second']) {
    sandbox.git(repository, 'commit', '-q', '--allow-empty', '-m', subject)
  }
  const [second, first] = sandbox.git(repository, 'rev-list', 'HEAD').split('\n')
  const commits = await readCommits(repository, [first!, 'f'.repeat(40), second!, 'HEAD'])
  t.same([...commits.keys()], [first, second])
  t.match(commits.get(first!), { author: 'Ada', email: 'ada@example.org', subject: 'first: a line' })
  t.equal(commits.get(second!)!.subject, 'second')
})

test('a repository that is not there has nothing to say', async t => {
  t.equal((await readCommits(new Sandbox(t).path('none'), ['a'.repeat(40)])).size, 0)
})
