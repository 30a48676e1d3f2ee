import { test } from 'tap'

import { checkOf } from '../../../master/notify/check.ts'
import type { Notice } from '../../../master/notify/notice.ts'

const notice = (job: object | null, lines: string[] = [], over: object = {}, stage = 'over'): Notice =>
  ({
    stage,
    task: {
      name: '1:hello:v1:linux-x86_64',
      num: 1,
      project: 'hello',
      arch: 'linux-x86_64',
      host: null,
      label: null,
      retryOf: null,
      job: job && { seconds: 200, error: null, retriedAs: null, host: 'box', steps: [], ...job },
      ...over,
    },
    lastLines: lines.map(text => ({ step: '20-build', stream: 'stdout', time: null, text })),
  }) as unknown as Notice

const ALONE = { project: 'hello', archs: 1, shared: false }

const failed = { verdict: 'failure', steps: [{ name: '20-build', state: 'failure' }] }

test('what a check says', async t => {
  for (const [given, state, description] of [
    [notice({ verdict: 'success' }), 'success', 'passed after 3m 20s'],
    [
      notice(failed, ['cc x.c', 'x.c:3: error: no y', 'make: *** [x] Error 1']),
      'failure',
      '20-build: x.c:3: error: no y',
    ],
    [notice(failed, ['one', 'two', '']), 'failure', '20-build: two'],
    [notice(failed, ['\u001b[31mFAIL\u001b[0m a\tb']), 'failure', '20-build: FAIL a b'],
    [notice(failed), 'failure', '20-build'],
    [notice({ verdict: 'timeout', steps: failed.steps }, ['x']), 'error', 'timeout: 20-build: x'],
    [notice({ verdict: 'success' }, [], { label: 'Testfile' }), 'success', 'nothing to test'],
    [notice({ verdict: 'cancelled' }), 'cancelled', 'cancelled after 3m 20s'],
    [notice({ verdict: 'lost' }), 'error', 'lost after 3m 20s'],
    [notice({ verdict: 'error', error: 'there are no steps' }), 'error', 'there are no steps'],
    [notice(null, [], {}, 'waiting'), 'pending', 'queued: for a taker of linux-x86_64'],
    [notice(null, [], { host: 'box' }, 'waiting'), 'pending', 'queued: for the host box'],
    [notice({}, [], {}, 'running'), 'running', 'running on box'],
  ] as const) {
    const check = checkOf(given, ALONE)!
    t.equal(check.state, state, description)
    t.equal(check.description, description)
  }
  t.equal(checkOf(notice({ verdict: 'lost', retriedAs: '2:hello:v1:linux-x86_64' }), ALONE), undefined)
})
