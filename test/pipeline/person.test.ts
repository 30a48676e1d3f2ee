// What a person sees and does while a real taker works.

import { writeFileSync } from 'node:fs'
import { test } from 'tap'

import { verb as cancel } from '../../bin/cancel.ts'
import { verb as retry } from '../../bin/retry.ts'
import { verb as show } from '../../bin/show.ts'
import { verb as status } from '../../bin/status.ts'
import { verb as wait } from '../../bin/wait.ts'
import type { Command } from '../../lib/system/command.ts'
import { call } from '../fixtures/in-process.ts'
import { eventually } from '../fixtures/sandbox.ts'
import { Site } from '../fixtures/site.ts'

test('a person sees a task wait, run and end, cancels one, and has it run once more', async t => {
  const site = new Site(t)
  const go = site.path('go')
  const steps = { '10-say': 'echo hello >&2', '20-wait': `until [ -e ${go} ]; do sleep 0.1; done; echo done` }
  const say = (verb: Pick<Command, 'main'>, ...argv: string[]) => call(verb, argv, site.env)
  const sees = async (what: RegExp) => {
    for (let tries = 0; ; tries++) {
      const { stdout } = await say(status)
      if (what.test(stdout) || tries === 100) return t.match(stdout, what)
      await new Promise(done => setTimeout(done, 100))
    }
  }

  const first = site.publish(steps)
  await sees(/^queued\n {2}no taker for testarch has been seen\n {4}1 {2}hello {2}v1/)
  const log = site.start('bin/bass', ['log', '-f', '--time', 'none', first])
  await eventually('it says why it waits', () => log.stderr().includes('no taker for testarch has been seen'))
  site.taker()
  await sees(/^running\n {2}1 {2}hello {2}v1 {2}testarch {2}20-wait .*testhost\n\n1 taker: 1 busy/)
  await eventually('the first step is followed', () => log.stdout().includes('== 10-say: success'))
  writeFileSync(go, '')
  const { code, stdout } = await log.ended
  t.equal(code, 0)
  t.match(
    stdout,
    /^== 10-say\nhello\n== 10-say: success, .*\n== 20-wait\ndone\n== 20-wait: success, .*\n== 1:.*: success\n$/,
  )
  await sees(/\nover\n|^over\n {2}1 {2}hello {2}v1 {2}testarch {2}success/)

  site.ok('rm', [go])
  const second = site.publish(steps)
  await sees(/20-wait/)
  t.equal((await say(cancel, '2')).code, 0)
  t.same(await say(wait, 'last'), { code: 143, stdout: `${second} cancelled\n`, stderr: '' })
  writeFileSync(go, '')
  t.equal((await say(retry, '2')).stdout, '3:hello:v2:testarch\n')
  t.same(await say(wait, '3'), { code: 0, stdout: '3:hello:v2:testarch success\n', stderr: '' })
  t.match((await say(show, '2')).stdout, /state .*cancelled.*\n[^]*retried as {2}3:hello:v2:testarch\n/)
})
