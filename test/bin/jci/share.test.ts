// Two clones that share results over a remote, with real git: push, pull, prune.

import { writeFileSync } from 'node:fs'
import { test } from 'tap'

import { parseAge } from '../../../bin/jci/share/age.ts'
import { refOf } from '../../../lib/jci/run-ref.ts'
import { storeRun } from '../../../lib/jci/store.ts'
import { countingGit } from '../../fixtures/counting-git.ts'
import { lacks, ROOT, Sandbox } from '../../fixtures/sandbox.ts'

type Test = ConstructorParameters<typeof Sandbox>[0]

function twoClones(t: Test) {
  const sandbox = new Sandbox(t)
  sandbox.env['PATH'] = `${ROOT}/bin:${sandbox.env['PATH']!}`
  sandbox.git(sandbox.dir, 'init', '-q', '--bare', '-b', 'main', 'remote.git')
  sandbox.git(sandbox.dir, 'init', '-q', '-b', 'main', 'ada')
  sandbox.ok('mkdir', ['ada/.jci'])
  writeFileSync(sandbox.path('ada/.jci/run.sh'), 'echo done\n[ ! -e "$JCI_REPO_ROOT/fail" ]\n')
  sandbox.git(sandbox.path('ada'), 'remote', 'add', 'origin', '../remote.git')
  sandbox.ok('sh', ['-ec', 'git add -A; git commit -qm one; git push -q origin main'], { cwd: 'ada' })
  sandbox.git(sandbox.dir, 'clone', '-q', 'remote.git', 'bob')
  const jci = (who: string, ...args: string[]) => sandbox.run('git', ['jci', ...args], { cwd: who })
  const refs = (who: string) =>
    sandbox.git(sandbox.path(who), 'for-each-ref', '--format=%(refname) %(objectname)', 'refs/jci-runs')
  const commit = sandbox.git(sandbox.path('ada'), 'rev-parse', 'HEAD')
  return { sandbox, jci, refs, commit }
}

test('what one runs, the other sees', async t => {
  const { sandbox, jci, refs } = twoClones(t)
  t.equal(jci('ada', 'run').code, 0)
  writeFileSync(sandbox.path('bob/fail'), '')
  t.equal(jci('bob', 'run').code, 1)
  t.match(jci('ada', 'push'), { code: 0, stdout: '1 run pushed to origin\n' })
  t.match(jci('bob', 'push', 'origin'), { code: 0, stdout: '1 run pushed to origin\n' })
  t.match(jci('ada', 'pull'), { code: 0, stdout: '1 run pulled from origin\n' })
  t.match(jci('bob', 'pull'), { code: 0, stdout: '1 run pulled from origin\n' })
  t.equal(refs('ada'), refs('bob'))
  t.equal(refs('ada').split('\n').length, 2)
  for (const who of ['ada', 'bob']) {
    t.match(jci(who, 'push'), { code: 0, stdout: '0 runs pushed to origin\n' })
    t.match(jci(who, 'pull'), { code: 0, stdout: '0 runs pulled from origin\n' })
  }
  // Also where the commit is not there, in a bare repository, and by plain git.
  sandbox.git(sandbox.dir, 'init', '-q', '--bare', 'third.git')
  t.match(jci('third.git', 'pull', sandbox.path('remote.git')), { code: 0, stdout: /^2 runs pulled/ })
  sandbox.git(sandbox.dir, 'init', '-q', '--bare', 'fourth.git')
  sandbox.git(sandbox.path('ada'), 'push', '-q', '../fourth.git', 'refs/jci-runs/*:refs/jci-runs/*')
  t.equal(refs('fourth.git'), refs('third.git'))
})

test('a run that was shared while it ran is brought up to date, and never back', async t => {
  const { sandbox, jci, refs } = twoClones(t)
  const running = sandbox.path('running')
  writeFileSync(sandbox.path('ada/.jci/run.sh'), `git -C "$JCI_REPO_ROOT" jci push; touch ${running}\n`)
  t.equal(jci('ada', 'run').code, 0)
  const before = refs('remote.git')
  t.not(before, refs('ada'))
  t.match(jci('bob', 'pull').stdout, /^1 run /)
  t.match(jci('ada', 'pull').stdout, /^0 runs /, 'what is there is older')
  t.match(jci('ada', 'push').stdout, /^1 run /)
  t.match(jci('bob', 'push').stdout, /^0 runs /)
  t.match(jci('bob', 'pull').stdout, /^1 run /)
  t.equal(refs('ada'), refs('bob'))
  t.equal(refs('ada'), refs('remote.git'))
})

test('while others push, pull and prune, all of that works, and nothing is lost but what was pruned', async t => {
  const { sandbox, refs, commit } = twoClones(t)
  const tree = '4b825dc642cb6eb9a060e54bf8d69288fbee4904'
  for (const who of ['ada', 'bob']) sandbox.ok('git', ['mktree'], { cwd: who, input: '' })
  const now = Math.floor(Date.now() / 1000)
  const jci = async (who: string, ...args: string[]) => {
    const { code, stderr } = await sandbox.start('git', ['jci', ...args], { cwd: who }).ended
    t.same([code, stderr], [0, ''], `${who} ${args.join(' ')}`)
  }
  let made = 0
  const turn = async (who: string) => {
    const id = sandbox.git(sandbox.path(who), 'commit-tree', tree, '-m', who)
    for (const age of [10, 40 * 86_400]) {
      const run = `${now - age}-${(made++).toString(16).padStart(4, '0')}`
      sandbox.git(sandbox.path(who), 'update-ref', refOf({ commit, run }), id)
    }
    await jci(who, 'push')
    await jci(who, 'pull')
    await jci(who, 'prune', '--on-remote', 'origin', '--older-than', '30d', '--commit')
    await jci(who, 'prune', '--older-than', '30d', '--commit', '--no-gc')
  }
  const busy = async (who: string) => {
    for (let i = 0; i < 2; i++) await turn(who)
  }
  await Promise.all([busy('ada'), busy('bob')])
  const young = made / 2
  for (const who of ['ada', 'bob']) {
    await jci(who, 'pull')
    await jci(who, 'prune', '--older-than', '30d', '--commit', '--no-gc')
    t.equal(refs(who).split('\n').length, young, who)
  }
  t.equal(refs('ada'), refs('bob'))
})

test('a run that another removes at the very moment is no error', async t => {
  const { sandbox, jci, refs, commit } = twoClones(t)
  const id = sandbox.git(sandbox.path('ada'), 'rev-parse', 'HEAD')
  const runs = ['1000000000-aaaa', '1000000001-bbbb', '1000000002-cccc'].map(run => refOf({ commit, run }))
  for (const ref of runs) sandbox.git(sandbox.path('ada'), 'update-ref', ref, id)
  t.match(jci('ada', 'push'), { code: 0 })
  // After the remote was listed, and before it is asked for more, one of them is gone.
  const git = sandbox.ok('sh', ['-c', 'command -v git']).trim()
  sandbox.ok('mkdir', ['late'])
  sandbox.env['PATH'] = `${sandbox.path('late')}:${sandbox.env['PATH']!}`
  const removedAt = (verb: string, ref: string) =>
    writeFileSync(
      sandbox.path('late/git'),
      `#!/bin/sh\ncase " $* " in *" ${verb} "*) '${git}' -C '${sandbox.path('remote.git')}' update-ref -d ${ref} ;; esac\nexec '${git}' "$@"\n`,
      { mode: 0o755 },
    )
  // As a program of its own: behind 'git jci' comes git's own directory first.
  const direct = (who: string, ...args: string[]) => sandbox.run('bin/git-jci', args, { cwd: who })
  removedAt('fetch', runs[0]!)
  t.match(direct('bob', 'pull'), { code: 0, stdout: '2 runs pulled from origin\n', stderr: '' })
  removedAt('push', runs[1]!)
  t.match(direct('bob', 'prune', '--on-remote', 'origin', '--older-than', '1d', '--commit'), {
    code: 0,
    stderr: '',
  })
  t.equal(refs('remote.git'), '')
})

test('what goes wrong is said in a line, with exit code 1', async t => {
  const { sandbox, jci } = twoClones(t)
  for (const [word, argument] of [
    ['push', 'nowhere'],
    ['pull', 'nowhere'],
    ['push', '--upload-pack=touch pwned'],
    ['pull', '/no/such.git'],
  ] as const) {
    const { code, stdout, stderr } = jci('ada', word, argument)
    t.same([code, stdout], [1, ''], `${word} ${argument}`)
    t.match(stderr, /^git-jci: fatal: .*\n$/)
  }
  t.notOk(sandbox.ls('ada').includes('pwned'))
  for (const args of [['--older-than'], ['--on-remote'], ['x'], ['--frob'], ['--older-than', 'x']])
    t.match(
      jci('ada', 'prune', ...args),
      { code: 1, stdout: '', stderr: /^git-jci: fatal: .*\n$/ },
      args.join(' '),
    )
  // A remote that refuses.
  writeFileSync(sandbox.path('remote.git/hooks/pre-receive'), '#!/bin/sh\necho no runs here\nexit 1\n', {
    mode: 0o755,
  })
  t.equal(jci('ada', 'run').code, 0)
  t.match(jci('ada', 'push'), {
    code: 1,
    stderr:
      /^git-jci: fatal: unable to push to 'origin': failed to push .*: pre-receive hook declined: no runs here\n$/,
  })
})

test('old runs, and runs of commits that are gone, are removed when told', async t => {
  const { sandbox, jci, refs, commit } = twoClones(t)
  const ada = sandbox.path('ada')
  writeFileSync(sandbox.path('status.txt'), 'ok\n')
  sandbox.ok('mkdir', ['output'])
  sandbox.ok('cp', ['status.txt', 'output/status.txt'])
  const now = Math.floor(Date.now() / 1000)
  const make = (commit: string, age: number) =>
    storeRun(ada, commit, sandbox.path('output'), `${now - age}-abcd`)
  await make(commit, 10)
  await make(commit, 40 * 86_400)
  await make('f'.repeat(40), 20)
  t.match(jci('ada', 'push').stdout, /^3 runs/)
  // What the existing tool stored long ago is neither shared nor shown.
  sandbox.git(ada, 'update-ref', `refs/jci/${commit}`, commit)
  t.match(jci('ada', 'push').stdout, /^0 runs/)
  t.notMatch(sandbox.git(sandbox.path('remote.git'), 'for-each-ref'), /refs\/jci\//)
  const shown = jci('ada', 'prune', '--older-than=30d')
  t.match(shown.stdout, / 40 d ago {2}3 B\n2 runs, 6 B\nnothing is removed without --commit\n/)
  t.match(shown.stdout, /ffffffffffff\/.* its commit is gone\n/)
  t.match(jci('ada', 'prune').stdout, /^ffffffffffff.*\n1 run, 3 B\n/)
  t.equal(refs('ada').split('\n').length, 3)
  // An object that only a closed editor still needs.
  const stray = sandbox.ok('git', ['hash-object', '-w', '--stdin'], { cwd: 'ada', input: 'stray' }).trim()
  t.equal(jci('ada', 'prune', '--older-than', '100d', '--commit', '--no-gc').code, 0)
  t.equal(sandbox.run('git', ['cat-file', '-e', stray], { cwd: 'ada' }).code, 0, 'with --no-gc it stays')
  await make('e'.repeat(40), 20)
  t.equal(jci('ada', 'prune', '--older-than', '30d', '--commit').code, 0)
  t.not(sandbox.run('git', ['cat-file', '-e', stray], { cwd: 'ada' }).code, 0, 'git gc has removed it')
  t.match(refs('ada'), new RegExp(`^${refOf({ commit, run: `${now - 10}-abcd` })} \\S+$`))
  t.equal(jci('bob', 'prune', '--on-remote=origin', '--older-than', '30d', '--commit').code, 0)
  t.equal(refs('remote.git').split('\n').length, 2)
})

test('refs that others wrote, of any kind, are shown and removed as any run', async t => {
  const { sandbox, jci, refs, commit } = twoClones(t)
  const ada = sandbox.path('ada')
  const git = (input: string | Buffer, ...args: string[]) =>
    sandbox.ok('git', args, { cwd: 'ada', input }).trim()
  const blob = git('ok\n', 'hash-object', '-w', '--stdin')
  const tree = (...names: string[]) => {
    const entries = names.map(name => [Buffer.from(`100644 ${name}\0`), Buffer.from(blob, 'hex')]).flat()
    return git(Buffer.concat(entries), 'hash-object', '-t', 'tree', '-w', '--literally', '--stdin')
  }
  const committed = (id: string) => git('', 'commit-tree', id, '-m', 'x')
  const upwards = tree('..', 'status.txt')
  sandbox.git(ada, 'tag', '-a', '-m', 'x', 'atag', committed(tree('status.txt')))
  const kinds = {
    blob,
    tree: tree('status.txt'),
    tag: sandbox.git(ada, 'rev-parse', 'atag'),
    empty: committed(tree()),
    link: committed(git(`120000 blob ${blob}\tstatus.txt\n`, 'mktree')),
    directory: committed(git(`040000 tree ${tree('x')}\tstatus.txt\n`, 'mktree')),
    upwards: committed(upwards),
    below: committed(git(`040000 tree ${upwards}\tdirectory\n`, 'mktree')),
  }
  const names = Object.values(kinds).map((id, i) => {
    const ref = refOf({ commit, run: `170000000${i}-abcd` })
    sandbox.git(ada, 'update-ref', ref, id)
    return ref
  })
  t.match(jci('ada', 'push'), { code: 0, stdout: `${names.length} runs pushed` })
  t.match(jci('bob', 'pull'), { code: 0, stdout: `${names.length} runs pulled` })
  const shown = jci('bob', 'prune', '--older-than', '30d')
  t.match(shown, { code: 0, stdout: /\n8 runs, \d+ B\n/ })
  t.equal(shown.stdout.match(/ damaged$/gm)?.length, 3)
  t.equal(jci('bob', 'prune', '--older-than', '30d', '--commit', '--no-gc').code, 0)
  t.equal(refs('bob'), '')
})

test('a bar shows on a terminal, and only there, how far it is', { skip: lacks('script') }, async t => {
  const { sandbox, jci, commit } = twoClones(t)
  const ada = sandbox.path('ada')
  sandbox.ok('mkdir', ['output'])
  const make = (run: string) => storeRun(ada, commit, sandbox.path('output'), run)
  await make('1700000000-abcd')
  await make('1700000001-abcd')
  t.equal(jci('ada', 'push').code, 0)
  const prune = ['prune', '--older-than', '30d', '--commit', '--no-gc']
  const here = sandbox.ok('script', ['-qec', `exec git jci ${prune.join(' ')}`, '/dev/null'], { cwd: 'ada' })
  t.match(here, `[${'#'.repeat(40)}] 2/2`)
  const there = jci('ada', ...prune, '--on-remote', 'origin')
  t.match(there, { code: 0, stdout: /2 runs/, stderr: '' })
  t.notMatch(there.stdout, '#')
})

test('no number of git processes grows with the number of runs', async t => {
  const { sandbox, jci, commit } = twoClones(t)
  const count = countingGit(t, sandbox)
  sandbox.env['PATH'] = `${ROOT}/bin:${sandbox.env['PATH']!}`
  t.equal(jci('ada', 'run').code, 0)
  const verbs = [
    ['push'],
    ['pull'],
    ['prune', '--older-than=1h'],
    ['prune', '--older-than=1h', '--on-remote=origin'],
  ]
  const measure = () =>
    verbs.map(verb => {
      count()
      t.equal(jci('ada', ...verb).code, 0)
      return count()
    })
  const id = sandbox.git(sandbox.path('ada'), 'for-each-ref', '--format=%(objectname)', 'refs/jci-runs')
  sandbox.git(sandbox.path('ada'), 'update-ref', refOf({ commit, run: '999999999-aaaa' }), id)
  measure()
  const few = measure()
  const many = Array.from({ length: 500 }, (_, i) =>
    refOf({ commit, run: `${1_000_000_000 + i}-${i.toString(16).padStart(4, '0')}` }),
  )
  sandbox.ok('git', ['update-ref', '--stdin'], {
    cwd: 'ada',
    input: many.map(ref => `create ${ref} ${id}\n`).join(''),
  })
  t.match(jci('ada', 'push').stdout, /^500 runs/)
  t.same(measure(), few)
})

test('ages', t => {
  const day = 86_400
  const table: [string, number][] = [
    ['30d', 30 * day],
    ['2w', 14 * day],
    ['6m', 180 * day],
    ['4h', 4 * 3600],
    ['45s', 45],
    ['90m30s', 5430],
    ['1h30m', 5400],
    ['1w2d', 9 * day],
  ]
  for (const [text, seconds] of table) t.equal(parseAge(text), seconds, text)
  for (const text of ['6m2w', '1d6m']) t.match(parseAge(text), { why: /6 months or 6 minutes/ }, text)
  for (const text of ['', '-1d', '30', 'd', '1y', '1d1d', '1.5h', '30d ', `${'9'.repeat(12)}d`])
    t.type(parseAge(text), 'object', text)
  t.end()
})
