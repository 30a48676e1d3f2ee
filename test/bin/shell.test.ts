import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { layBundles } from '../fixtures/bundle.ts'
import { Sandbox } from '../fixtures/sandbox.ts'
import { SpoolMaker } from '../fixtures/spool-maker.ts'

const NAME = '7:hello:v1:linux-x86_64'

/** A failed job of three steps, the second of which failed; and a shell that tells where it is. */
function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool())
  const job = maker.finishedJob(NAME, {
    verdict: 'failure',
    ref: 'refs/heads/topic',
    steps: [
      { name: '10-build', exit: '0' },
      { name: '20-test', exit: '1' },
    ],
  })
  layBundles(
    sandbox,
    join(sandbox.spool.tasks.old, NAME),
    { 'a.c': 'int a;\n' },
    {
      '10-build': '#!/bin/sh\necho building; cp a.c a.out\n',
      '20-test': '#!/bin/sh\nexit 1\n',
      '30-pack': '#!/bin/sh\ntouch packed\n',
    },
  )
  const shell = sandbox.path('shell')
  writeFileSync(
    shell,
    '#!/bin/sh\nls; echo "$BASS_REF $PASSED"; basename "$BASS_STEP"; ls "$BASS_STEPS"; exit 5\n',
    {
      mode: 0o755,
    },
  )
  const open = (...argv: string[]) =>
    sandbox.run('bin/bass', ['shell', ...argv], {
      env: { SHELL: shell, STEP_ENV: 'PASSED', LINE_TIMEOUT: '20' },
    })
  return { sandbox, job, open }
}

test('the shell is in the code as the failing step found it, with its environment', async t => {
  const { sandbox, job, open } = make(t)
  writeFileSync(join(job, 'env.txt'), "PASSED='of the slave'\nBASS_REF=refs/heads/other\nTOKEN=***\n")
  const { code, stdout } = open('7')
  t.equal(code, 5)
  t.equal(
    stdout,
    '== 10-build\nbuilding\na.c\na.out\nrefs/heads/topic of the slave\n20-test\n10-build\n20-test\n30-pack\n',
  )
  t.same(sandbox.ls('jobtmp'), [], 'nothing is left')
})

test('a fresh shell is in the code as it was pushed, and its files may be kept', async t => {
  const { sandbox, open } = make(t)
  const { stdout, stderr } = open('--fresh', '--keep', 'last')
  t.match(stdout, /^a\.c\nrefs/)
  const [kept] = sandbox.ls('jobtmp')
  t.match(stderr, `the files are in ${sandbox.path('jobtmp', kept!)}`)
})

test('a shell of a task that was pruned is refused', async t => {
  const { sandbox, open } = make(t)
  sandbox.ok('rm', ['-r', join(sandbox.spool.tasks.old, NAME)])
  t.match(open('7'), { code: 100, stdout: '', stderr: /its task was pruned/ })
})
