import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { verb } from '../../bin/diff.ts'
import { call } from '../fixtures/in-process.ts'
import { makeRepository } from '../fixtures/repository.ts'
import { ROOT, Sandbox } from '../fixtures/sandbox.ts'
import { SpoolMaker } from '../fixtures/spool-maker.ts'

test('diff lists the commits since the last success of the same ref and architecture', async t => {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool())
  const { path, commits } = makeRepository(sandbox, 'one', 'two', 'three', 'four')
  const env = { ...sandbox.env, PROJ: path, REVS: '/x/revs/p' }
  maker.finishedJob('1:p:v:a', { revision: commits[0]! })
  maker.finishedJob('2:p:v:b', { revision: commits[1]! })
  maker.finishedJob('3:p:v:a', { revision: commits[1]!, ref: 'refs/heads/topic' })
  maker.finishedJob('4:p:v:a', { revision: commits[2]!, verdict: 'failure' })
  maker.finishedJob('5:p:v:a', { revision: commits[3]!, verdict: 'failure', place: 'cur' })
  const { code, stdout } = await call(verb, ['5'], env)
  t.equal(code, 0)
  const short = commits.map(id => id.slice(0, 10))
  t.equal(
    stdout,
    `since 1:p:v:a, ${short[0]!}:\n  ${short[3]!}  Ada  four\n  ${short[2]!}  Ada  three\n  ${short[1]!}  Ada  two\n`,
  )
  const json = JSON.parse((await call(verb, ['--json', '5'], env)).stdout) as unknown
  t.match(json, {
    since: '1:p:v:a',
    commits: [{ subject: 'four' }, { subject: 'three' }, { subject: 'two' }],
  })

  t.match(await call(verb, ['1'], env), { code: 1, stdout: '', stderr: /nothing like 1:p:v:a has succeeded/ })
  t.match(await call(verb, ['5'], sandbox.env), {
    code: 100,
    stderr: /repository of its project is not known/,
  })
})

test('no revision of a task is an option of git', async t => {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool())
  const { path, commits } = makeRepository(sandbox, 'one', 'two')
  const owned = sandbox.path('owned')
  maker.finishedJob('1:p:v:a', { revision: commits[0]! })
  maker.finishedJob('2:p:v:a', { revision: `--output=${owned}` })
  maker.finishedJob('3:p:v:a', { revision: commits[1]! })
  // Either comes first on git's command line once.
  for (const args of [['2'], ['--patch', '2'], ['3'], ['--patch', '3']]) {
    const { code, stderr } = sandbox.run(join(ROOT, 'bin/bass'), ['diff', ...args], {
      env: { PROJ: path, REVS: '/x/revs/p' },
    })
    t.not(code, 0, args.join(' '))
    t.notMatch(stderr, /^\s+at /m)
    t.notOk(existsSync(owned), args.join(' '))
  }
})
