import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { Sandbox } from '../fixtures/sandbox.ts'
import { SpoolMaker } from '../fixtures/spool-maker.ts'

const SHELL = '#!/bin/sh\npwd\nexit 4\n'

function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool())
  const work = sandbox.path("it's kept")
  mkdirSync(join(work, 'code'), { recursive: true })
  writeFileSync(sandbox.path('shell'), SHELL, { mode: 0o755 })
  const lay = (host: string, path = work) => {
    const job = maker.finishedJob('7:p:v:a', { host, verdict: 'failure' })
    writeFileSync(join(job, 'tmp-path.txt'), path + '\n')
  }
  const attach = (path = sandbox.env['PATH']!) =>
    sandbox.run('bin/bass', ['attach', '7'], { env: { SHELL: sandbox.path('shell'), PATH: path } })
  return { sandbox, maker, work, lay, attach }
}

test('attach goes to the kept directory of a job of this host', async t => {
  const { work, lay, attach } = make(t)
  lay('testhost')
  t.same(attach(), { code: 4, signal: null, stdout: `${work}/code\n`, stderr: '' })
})

test('attach prefers the tmux of the job, while that lives', async t => {
  const { sandbox, work, lay, attach } = make(t)
  lay('testhost')
  writeFileSync(join(work, 'tmux'), '#!/bin/sh\necho tmux\n', { mode: 0o755 })
  t.same(attach(), { code: 0, signal: null, stdout: 'tmux\n', stderr: '' })
  sandbox.ok('sh', ['-c', `echo '#!/bin/false' >"${work}/tmux"`])
  t.equal(attach().stdout, `${work}/code\n`)
})

test('attach goes to another host with ssh, and nothing in a path is run there', async t => {
  const { sandbox, work, lay, attach } = make(t)
  lay('far')
  mkdirSync(sandbox.path('bin'))
  // As sshd does: what is left of the arguments, as one line for a shell.
  writeFileSync(sandbox.path('bin/ssh'), '#!/bin/sh\necho "$1 $2"; shift 2; exec sh -c "$*"\n', {
    mode: 0o755,
  })
  t.same(attach(`${sandbox.path('bin')}:${sandbox.env['PATH']!}`), {
    code: 4,
    signal: null,
    stdout: `-t far\n${work}/code\n`,
    stderr: '',
  })
})

test('attach to what has not started says so', async t => {
  const { maker, attach } = make(t)
  maker.waitingTask('7:p:v:a')
  t.match(attach(), { code: 100, stderr: /it has not started/ })
})

test('attach to a directory that is gone says so', async t => {
  const { lay, attach } = make(t)
  lay('testhost', '/nowhere/at/all')
  t.match(attach(), { code: 100, stderr: /unable to enter '\/nowhere\/at\/all': it is gone/ })
})
