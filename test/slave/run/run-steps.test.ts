import { existsSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { readJob } from '../../../lib/view/view.ts'
import { eventually, Sandbox } from '../../fixtures/sandbox.ts'
import { StepsFixture } from '../../fixtures/steps.ts'

test('steps run in the order of their names, in the code, and leave labelled logs', async t => {
  const f = new StepsFixture(new Sandbox(t), {
    '10-b': 'pwd; echo err >&2',
    '2-c': 'printf "a\\nb"',
    a: 'exit 77',
  })
  t.same(await f.run(), { verdict: 'success' })
  t.same(readdirSync(`${f.job}/steps`).sort(), ['10-b', '2-c', 'a'])
  t.equal(f.said('10-b'), `${f.work}/code\n`)
  t.equal(f.said('10-b', 'stderr'), 'err\n')
  t.match(f.read('steps', '2-c', 'stdout.txt'), /^@[0-9a-f]{24} a\n@[0-9a-f]{24} b$/)
  t.match(f.read('steps', 'a', 'started'), /^@[0-9a-f]{24}\n$/)
  t.match(f.read('steps', 'a', 'ended'), /^@[0-9a-f]{24}\n$/)
  t.equal(f.exit('a'), '77')
  t.equal(f.read('pkg.txt'), '')
  t.notOk(existsSync(`${f.job}/artifacts`))
})

test('the first failing step ends the job, but for steps that always run', async t => {
  const f = new StepsFixture(new Sandbox(t), {
    a: 'exit 3',
    b: 'true',
    'c.always': 'echo cleaning',
    d: 'true',
  })
  t.same(await f.run(), { verdict: 'failure', step: 'a', why: "step 'a' exited with 3" })
  t.equal(f.said('c.always'), 'cleaning\n')
  t.same(readdirSync(`${f.job}/steps`).sort(), ['a', 'c.always'])
})

test('a signal, a missing interpreter and a script without a first line end as a shell would have it', async t => {
  const f = new StepsFixture(new Sandbox(t), {
    'a.always': 'kill -9 $$',
    'b.always': '#!/no/such/interpreter',
    'c.always': '#! \necho plain',
  })
  t.match(await f.run(), { verdict: 'failure', step: 'a.always' })
  t.equal(f.exit('a.always'), 'signal KILL')
  t.equal(f.exit('b.always'), '127')
  t.match(f.said('b.always', 'stderr'), /'\/no\/such\/interpreter', which is not there/)
})

for (const ISOLATE of ['pid', 'no']) {
  test(`ISOLATE=${ISOLATE}: what keeps a step from being started is named`, async t => {
    const table: [Record<string, string>, string | RegExp][] = [
      [
        { a: '#!/no/such/interpreter -x\n' },
        "its first line names '/no/such/interpreter', which is not there\n",
      ],
      [
        { a: '#! /bin/sh\r\necho\r\n' },
        "'/bin/sh', which is not there; its lines end with CR LF, as on Windows\n",
      ],
      [{ a: 'rm -r "$PWD"', 'b.always': 'pwd' }, 'its directory is not there any more\n'],
    ]
    for (const [steps, why] of table) {
      const f = new StepsFixture(new Sandbox(t), steps, { ISOLATE })
      t.match(await f.run(), { verdict: 'failure' })
      const last = Object.keys(steps).at(-1)!
      t.equal(f.exit(last), '127')
      t.match(f.said(last, 'stderr'), why)
    }
  })
}

test('a step whose name is not UTF-8 is not passed over', async t => {
  const f = new StepsFixture(new Sandbox(t), { a: 'true' })
  writeFileSync(Buffer.from(join(f.work, 'steps', 'b\xe9d'), 'latin1'), '#!/bin/sh\nfalse\n', { mode: 0o755 })
  await t.rejects(f.run(), {
    exitCode: 100,
    message: "unable to run the step 'b\ufffdd': its name is not UTF-8",
  })
  t.ok(existsSync(join(f.job, 'env.txt')), 'nothing is written later: the job may be gone by then')
})

test('a bundle without steps is an error, in a sentence', async t => {
  const f = new StepsFixture(new Sandbox(t), {})
  writeFileSync(join(f.work, 'steps', 'notes.txt'), 'not executable')
  symlinkSync('/bin/true', join(f.work, 'steps', 'link'))
  t.match(await f.run(), { verdict: 'error', why: /there are no steps/ })
  t.match(f.read('env.txt'), /^CI=true$/m)
})

test('steps have the environment that env.txt tells, and no other', async t => {
  const f = new StepsFixture(
    new Sandbox(t),
    { a: 'exec env', b: 'cat; test -d "$HOME" && test -d "$TMPDIR" && test -d "$BASS_ARTIFACTS"' },
    {
      STEP_ENV: 'DEPLOY BASS_TASK UNSET',
      DEPLOY: "it's here",
      BASS_TASK: 'forged',
      SECRETS: 'KEY',
      KEY: 'hunter2',
    },
  )
  t.match(await f.run(), { verdict: 'success' })
  const names =
    'BASS_ARCH BASS_ARTIFACTS BASS_CACHE BASS_HOST BASS_PARAM_COLOUR BASS_PROJECT BASS_REF BASS_REVISION'
  const all = `${names} BASS_STEPS BASS_TASK BASS_VERSION CI DEPLOY HOME KEY LANG PATH TERM TMPDIR`.split(' ')
  const namesIn = (text: string) => text.match(/^\w+(?==)/gm)?.sort()
  t.same(namesIn(f.read('env.txt')!), all)
  t.same(namesIn(f.said('a').replace(/^(PWD|SHLVL|_|OLDPWD|NODE_OPTIONS|_TAPJS\w+)=.*\n/gm, '')), all)
  t.match(f.read('env.txt'), /^BASS_TASK=1:hello:v1:testarch$/m)
  t.match(f.read('env.txt'), /^DEPLOY='it'\\''s here'$/m)
  t.match(f.read('env.txt'), /^KEY=\*\*\*$/m)
  t.match(f.said('a'), /^KEY=\*\*\*$/m)
})

test('a secret stays hidden when it comes in pieces and when it has several lines', async t => {
  const f = new StepsFixture(
    new Sandbox(t),
    { a: 'printf hun; sleep 0.2; printf "ter2\\n"; printf "hunt\\n"; echo "$PEM"; echo "$PEM" | tail -n 1' },
    { SECRETS: 'KEY PEM', KEY: 'hunter2', PEM: 'begin\nMIIB\nend of it' },
  )
  t.match(await f.run(), { verdict: 'success' })
  t.equal(f.said('a'), '***\nhunt\n***\n***\n')
})

test('PREPARE runs first, in the temporary directory, and its packages are told', async t => {
  const sandbox = new Sandbox(t)
  const prepare = 'pwd; echo gcc 12 >"$BASS_PKG"; touch "$HOME/prepared"'
  const f = new StepsFixture(sandbox, { a: 'test -e "$HOME/prepared"' }, { PREPARE: prepare })
  t.match(await f.run(), { verdict: 'success' })
  t.equal(f.read('pkg.txt'), 'gcc 12\n')
  t.equal(f.said('PREPARE'), `${f.work}\n`)

  const bad = new StepsFixture(sandbox, { a: 'true' }, { PREPARE: 'exit 4' })
  t.match(await bad.run(), { verdict: 'error', why: "step 'PREPARE' exited with 4" })
  t.same(readdirSync(`${bad.job}/steps`), ['PREPARE'])
})

test('artifacts are kept: files, directories, and links that stay inside', async t => {
  const f = new StepsFixture(new Sandbox(t), {
    a: `cd "$BASS_ARTIFACTS" && mkdir -p d/e && echo hi >d/e/f && ln -s e/f d/in && ln -s /etc/passwd out &&
      ln -s ../../x d/up && mkfifo pipe && : >empty; exit 1`,
  })
  t.match(await f.run(), { verdict: 'failure' })
  t.same(readdirSync(`${f.job}/artifacts`).sort(), ['d', 'empty'])
  t.same(readdirSync(`${f.job}/artifacts/d`).sort(), ['e', 'in'])
  t.equal(f.read('artifacts', 'd', 'in'), 'hi\n')
})

test('the output can be opened again by its name in /dev', async t => {
  const f = new StepsFixture(new Sandbox(t), { a: 'echo one >/dev/stdout; echo two | tee /dev/stderr' })
  t.match(await f.run(), { verdict: 'success' })
  t.equal(f.said('a'), 'one\ntwo\n')
  t.equal(f.said('a', 'stderr'), 'two\n')
})

test('binary output arrives byte for byte, and a million bytes without a newline are one line', async t => {
  const f = new StepsFixture(new Sandbox(t), {
    a: 'i=0; while [ $i -lt 256 ]; do printf "\\\\$(printf %o $i)"; i=$((i+1)); done',
    b: 'head -c 1000000 /dev/zero',
  })
  t.match(await f.run(), { verdict: 'success' })
  const bytes = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join('')
  t.equal(f.read('steps', 'a', 'stdout.txt')?.replace(/@[0-9a-f]{24} /g, ''), bytes)
  t.equal(f.read('steps', 'b', 'stdout.txt')?.length, 1_000_026)
})

test('a log that is too long is cut, says so, and the step goes on', async t => {
  const f = new StepsFixture(
    new Sandbox(t),
    { a: 'echo first; yes | head -c 3000000; echo late >&2; exit 5' },
    { LOG_MAX: '64K' },
  )
  t.match(await f.run(), { verdict: 'failure', why: "step 'a' exited with 5" })
  const log = f.read('steps', 'a', 'stdout.txt')!
  t.ok(log.length > 65_000 && log.length < 66_000, `${log.length} bytes`)
  t.match(
    f.said('a'),
    /^first\ny\n[^]*\nthe log is cut here: LOG_MAX allows 65536 bytes; the step goes on\n$/,
  )
})

test('a step that closes its output goes on', async t => {
  const f = new StepsFixture(new Sandbox(t), { a: 'exec >&- 2>&-; sleep 0.3; exit 6' })
  t.match(await f.run(), { verdict: 'failure', why: "step 'a' exited with 6" })
})

test('a gigabyte without a newline takes no memory to speak of', async t => {
  const f = new StepsFixture(new Sandbox(t), { a: 'head -c 1000000000 /dev/zero' }, { LOG_MAX: '200M' })
  const before = process.memoryUsage().rss
  let most = 0
  const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20)
  t.match(await f.run(), { verdict: 'success' })
  clearInterval(watch)
  t.ok(most - before < 50_000_000, `${most - before} bytes more`)
})

test('a file beside the steps that lacks its execute bit fails the job, unless its name says that it is none', async t => {
  const box = new Sandbox(t)
  for (const [name, verdict] of [
    ['20-test', 'error'],
    ['_data', 'success'],
    ['.hidden', 'success'],
    ['README.md', 'success'],
  ] as const) {
    // prettier-ignore
    const f = new StepsFixture(box, { '10-x': 'echo x' })
    writeFileSync(join(f.work, 'steps', name), '#!/bin/sh\nexit 1\n')
    const outcome = await f.run()
    t.equal(outcome.verdict, verdict, name)
    if (verdict === 'error') t.match(outcome.why, /^'20-test' .* not executable: .*chmod \+x/)
    t.equal(existsSync(join(f.job, 'steps')), verdict === 'success')
  }
})

test('a link to nothing among the steps fails the job, and no other link does', async t => {
  const box = new Sandbox(t)
  for (const [name, target, verdict] of [
    ['20-test', '../scripts/tset', 'error'],
    ['20-test', '20-test', 'error'],
    ['_data', 'nothing', 'success'],
    ['20-test', '/etc', 'success'],
    ['20-test', '10-x', 'success'],
  ] as const) {
    const f = new StepsFixture(box, { '10-x': 'echo x' })
    symlinkSync(target, join(f.work, 'steps', name))
    const outcome = await f.run()
    t.equal(outcome.verdict, verdict, `${name} -> ${target}`)
    if (verdict === 'error') t.equal(outcome.why, "'20-test' stands among the steps and is a link to nothing")
  }
})

test('what a cancel or the end of the slave ends is no failure of its step; what failed before is', async t => {
  for (const [reason, state] of [
    ['cancelled', 'cancelled'],
    ['drain', 'interrupted'],
  ] as const) {
    const f = new StepsFixture(new Sandbox(t), {
      a: 'true',
      // As make does: it notices the signal, and fails.
      b: "trap 'exit 2' TERM; echo begun; while :; do sleep 0.05; done",
      'c.always': 'exit 3',
    })
    const outcome = f.run()
    await eventually('b runs', () => f.said('b') !== '')
    f.stop(reason)
    t.match(await outcome, { verdict: reason === 'drain' ? 'lost' : 'cancelled', step: 'b' })
    const steps = readJob(f.job)!.steps.map(step => [step.name, step.state, step.exit])
    t.same(steps.slice(0, 2), [
      ['a', 'success', 0],
      ['b', state, 2],
    ])
    t.same(steps.slice(2), reason === 'cancelled' ? [['c.always', 'failure', 3]] : [])
  }
})
