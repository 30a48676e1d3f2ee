import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { verb as pause } from '../../bin/pause.ts'
import { verb as resume } from '../../bin/resume.ts'
import { call } from '../fixtures/in-process.ts'
import { Sandbox } from '../fixtures/sandbox.ts'

/** A spool with the project `hello` and a taker on the host `h1`. */
function makeKnown(sandbox: Sandbox): void {
  const { revs, takers } = sandbox.makeSpool()
  mkdirSync(`${revs}/hello`, { recursive: true })
  mkdirSync(`${takers}/one`, { recursive: true })
  writeFileSync(`${takers}/one/about.txt`, 'host=h1\nslot=/slot\narch=a\n')
}

test('a pause is a file, and resume removes it', async t => {
  const sandbox = new Sandbox(t)
  makeKnown(sandbox)
  for (let again = 0; again < 2; again++) {
    const stdout = 'paused: all\npaused: host:h1\npaused: project:hello\n'
    t.same(await call(pause, ['all', 'hello', 'host:h1'], sandbox.env), { code: 0, stdout, stderr: '' })
  }
  t.same(sandbox.ls('spool/pause'), ['all', 'host:h1', 'project:hello'])
  t.equal((await call(resume, ['project:hello', 'all'], sandbox.env)).code, 0)
  t.same(sandbox.ls('spool/pause'), ['host:h1'])
  t.match(await call(resume, ['host:h1', 'hello'], sandbox.env), {
    code: 100,
    stderr: /'hello': it is not paused/,
  })
  t.same(sandbox.ls('spool/pause'), ['host:h1'])
  t.equal((await call(resume, ['host:h1'], sandbox.env)).stdout, 'nothing is paused\n')
})

test('a project or host that the spool does not know is refused, with those that it does', async t => {
  const sandbox = new Sandbox(t)
  makeKnown(sandbox)
  for (const [word, there] of [
    ['helo', "no such project, but 'hello'"],
    ['host:h2', "no such host, but 'h1'"],
  ] as const) {
    const { code, stderr } = await call(pause, [word], sandbox.env)
    t.equal(code, 100)
    t.match(stderr, there)
    t.match(stderr, /type 'touch .*\/pause\/(project:helo|host:h2)'/)
  }
  t.notOk(existsSync(sandbox.path('spool/pause/project:helo')))
})

test('--json prints all that is paused then', async t => {
  const sandbox = new Sandbox(t)
  makeKnown(sandbox)
  const paused = async (verb: typeof pause, ...words: string[]) =>
    JSON.parse((await call(verb, ['--json', ...words], sandbox.env)).stdout) as unknown
  t.same(await paused(pause, 'hello', 'host:h1'), { paused: ['host:h1', 'project:hello'] })
  t.same(await paused(resume, 'hello'), { paused: ['host:h1'] })
})

test('what cannot be the name of a project or a host is refused', async t => {
  const sandbox = new Sandbox(t)
  sandbox.makeSpool()
  for (const word of ['', '../x', 'host:', 'host:a:b', 'arch:x', '.x']) {
    t.match(await call(pause, [word], sandbox.env), { code: 100 }, word)
  }
})
