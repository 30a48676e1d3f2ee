import { execFileSync } from 'node:child_process'
import { test } from 'tap'

import { gitEnvironment } from '../../../lib/git/process.ts'

/** Of git's own list, what is about how to read a repository, and not which: it stays as the user has it. */
const KEPT = /^GIT_(CONFIG.*|NO_REPLACE_OBJECTS|REPLACE_REF_BASE|INTERNAL_SUPER_PREFIX)$/

test('a git that is told its repository is led to no other by any variable of ours', t => {
  const listed = execFileSync('git', ['rev-parse', '--local-env-vars'], { encoding: 'utf8' })
    .split('\n')
    .filter(name => name !== '' && !KEPT.test(name))
  t.ok(listed.length >= 8)
  for (const name of [...listed, 'GIT_NAMESPACE']) {
    t.teardown(() => Reflect.deleteProperty(process.env, name))
    process.env[name] = '/elsewhere'
  }
  t.same(
    Object.values(gitEnvironment()).filter(value => value === '/elsewhere'),
    [],
  )
  t.equal(gitEnvironment()['PATH'], process.env['PATH'])
  t.end()
})
