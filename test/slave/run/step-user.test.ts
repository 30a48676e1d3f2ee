import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { processesWith } from '../../../lib/system/process.ts'
import { markOf } from '../../../slave/run/places/processes.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'
import { StepsFixture } from '../../fixtures/steps.ts'

const skip = process.getuid?.() !== 0 && 'needs root'

/** A sandbox that another user can pass through. */
function openSandbox(t: ConstructorParameters<typeof Sandbox>[0]): Sandbox {
  const sandbox = new Sandbox(t)
  chmodSync(sandbox.dir, 0o755)
  return sandbox
}

for (const ISOLATE of ['pid', 'no']) {
  test(
    `ISOLATE=${ISOLATE}: a step of STEP_USER works in its directories and can neither forge nor signal`,
    { skip },
    async t => {
      const f = new StepsFixture(
        openSandbox(t),
        {
          a: 'id -un; touch here "$HOME/x" "$TMPDIR/x" "$BASS_CACHE/x" "$BASS_ARTIFACTS/x"',
          b: `! touch "$HOME/../x" && ! touch "$HOME/../../1:hello:v1:testarch/result.txt" && ! kill -0 ${process.pid}`,
          c: 'echo named >/dev/stdout; sleep 1000 & exit 0',
        },
        { ISOLATE, STEP_USER: 'nobody' },
      )
      t.match(await f.run(), { verdict: 'success' })
      t.equal(f.said('a'), 'nobody\n')
      t.equal(f.said('c'), 'named\n')
      t.equal(f.read('artifacts', 'x'), '')
    },
  )
}

for (const ISOLATE of ['pid', 'no']) {
  test(
    `ISOLATE=${ISOLATE}: STEP_PROCS bounds a fork bomb, and all of it is gone afterwards`,
    { skip },
    async t => {
      const f = new StepsFixture(
        openSandbox(t),
        {
          a: `exec perl -e 'while (1) { fork // do { print STDERR "fork: $!\\n"; select undef, undef, undef, 0.01 } }'`,
        },
        { ISOLATE, STEP_USER: 'nobody', STEP_PROCS: '30', STEP_TIMEOUT: '1' },
      )
      const running = () => processesWith(markOf(f.work)).length
      let most = 0
      const watch = setInterval(() => (most = Math.max(most, running())), 50)
      t.match(await f.run(), { verdict: 'timeout' })
      clearInterval(watch)
      // And the one that entered the namespace for it, which is ours.
      t.ok(most <= 31, `${most} processes`)
      t.equal(running(), 0)
      t.match(f.said('a', 'stderr'), /fork/i)
    },
  )
}

test('a STEP_USER that does not exist, or is root, is refused', { skip }, async t => {
  const sandbox = openSandbox(t)
  for (const STEP_USER of ['no-such-user', 'root']) {
    await t.rejects(new StepsFixture(sandbox, { a: 'true' }, { STEP_USER }).run(), {
      exitCode: 100,
      message: `unable to run steps as '${STEP_USER}'`,
    })
  }
})

test('STEP_USER gets files whatever their names are', { skip }, async t => {
  const f = new StepsFixture(
    openSandbox(t),
    { a: 'for f in caf*/n*; do echo more >>"$f"; cat "$f"; done' },
    { STEP_USER: 'nobody' },
  )
  const name = (text: string) => Buffer.from(`${f.work}/code/${text}`, 'latin1')
  mkdirSync(name('caf\xe9'), { mode: 0o700 })
  writeFileSync(name('caf\xe9/n\xff'), 'first\n', { mode: 0o600 })
  t.match(await f.run(), { verdict: 'success' })
  t.equal(f.said('a'), 'first\nmore\n')
})
