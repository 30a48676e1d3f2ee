import { test } from 'tap'

import { Sandbox } from '../../fixtures/sandbox.ts'

test('a verb that a farmer does not know says so, and which ones it knows', async t => {
  const sandbox = new Sandbox(t)
  const env = { SPOOL: '', TASKS: '', FARMER_URL: 'http://127.0.0.1:1' }
  for (const args of [
    ['pause', 'hello'],
    ['resume', 'hello'],
    ['event', 'hello', 'main'],
    ['diff', '1'],
    ['prune', '--keep-last', '1'],
    ['run', '1'],
    ['shell', '1'],
    ['attach', '1'],
  ]) {
    // prettier-ignore
    const { code, stderr } = sandbox.run('bin/bass', args, { env })
    t.equal(code, 100, args.join(' '))
    t.match(
      stderr,
      /^bass: fatal: unable to find the spool: SPOOL is not set, and the farmer of FARMER_URL knows/,
    )
  }
  const { code, stderr } = sandbox.run('bin/bass', ['status'], { env })
  t.equal(code, 111)
  t.match(stderr, /unable to ask the farmer at http:\/\/127\.0\.0\.1:1: /)
})
