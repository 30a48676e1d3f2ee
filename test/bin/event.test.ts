import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { verb } from '../../bin/event.ts'
import { call } from '../fixtures/in-process.ts'
import { makeRepository } from '../fixtures/repository.ts'
import { ROOT, Sandbox } from '../fixtures/sandbox.ts'

function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  const spool = sandbox.makeSpool()
  const { path, commits } = makeRepository(sandbox, 'one', 'two')
  sandbox.git(path, 'branch', 'topic', commits[0]!)
  const env = { ...sandbox.env, PROJ: path, REVS: `${spool.revs}/hello` }
  return { sandbox, spool, path, commits, env, event: (...argv: string[]) => call(verb, argv, env) }
}

test('an event is of the tip of the default branch, or of what is named', async t => {
  const { spool, commits, event } = make(t)
  const table: [string[], string][] = [
    [[], `refs/heads/main/${commits[1]!}`],
    [['topic'], `refs/heads/topic/${commits[0]!}`],
    [['refs/heads/topic'], `refs/heads/topic/${commits[0]!}`],
    [[commits[0]!.slice(0, 8)], `refs/heads/main/${commits[0]!}`],
  ]
  for (const [argv, path] of table) {
    const { code, stdout } = await event('hello', ...argv)
    t.same([code, stdout], [0, `${spool.revs}/hello/${path}\n`], argv.join(' '))
    t.equal(readFileSync(stdout.trim(), 'utf8'), '')
  }
})

test('an event carries lines, and is not changed while it waits', async t => {
  const { event } = make(t)
  const { stdout } = await event('hello', 'topic', 'A=1', 'B=x y')
  t.equal(readFileSync(stdout.trim(), 'utf8'), 'A=1\nB=x y\n')
  t.equal((await event('hello', 'topic')).code, 0)
  t.match(await event('hello', 'topic', 'A=2'), { code: 100, stderr: /there is one already/ })
  t.equal(readFileSync(stdout.trim(), 'utf8'), 'A=1\nB=x y\n')
})

test('a project with settings of its own in the spool needs no environment', async t => {
  const { sandbox, spool, path, commits } = make(t)
  mkdirSync(`${spool.root}/conf/other`, { recursive: true })
  mkdirSync(`${spool.revs}/other`)
  writeFileSync(`${spool.root}/conf/other/rc`, `PROJ='${path}'\n`)
  const { stdout } = await call(verb, ['other'], sandbox.env)
  t.equal(stdout, `${spool.revs}/other/refs/heads/main/${commits[1]!}\n`)
})

test('what there is no project, repository, revision or line for is refused', async t => {
  const { event, sandbox } = make(t)
  t.match(await event('nowhere'), { code: 100, stderr: /the projects of this spool are 'hello'/ })
  t.match(await event('hello', 'nothing'), { code: 100, stderr: /no such ref or revision/ })
  t.match(await event('hello', '--', '--output=x'), { code: 100 })
  t.match(await event('hello', 'main', '1=2'), { code: 100, stderr: /'1=2' is no KEY=VALUE/ })
  t.match(await call(verb, ['hello'], sandbox.env), { code: 100, stderr: /neither PROJ nor/ })
})

test('--json prints what the event is of', async t => {
  const { spool, commits, event } = make(t)
  const [revision, ref] = [commits[0]!, 'refs/heads/topic']
  const { stdout } = await event('--json', 'hello', 'topic')
  t.same(JSON.parse(stdout), {
    project: 'hello',
    ref,
    revision,
    path: `${spool.revs}/hello/${ref}/${revision}`,
  })
})

test('a settings file that cannot be read is what is wrong, and not that it names no code', async t => {
  const { sandbox, spool } = make(t)
  mkdirSync(`${spool.root}/conf/other`, { recursive: true })
  mkdirSync(`${spool.revs}/other`)
  writeFileSync(`${spool.root}/conf/other/rc`, "PROJ='code\n")
  t.match(await call(verb, ['other'], { ...sandbox.env, BASS_ROOT: ROOT }), {
    code: 100,
    stderr: /unable to read the settings of '.*conf\/other\/rc': .*quot/,
  })
})
