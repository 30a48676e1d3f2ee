// A tree on the file server, replaced by one client while the takers of others run from it.

import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { MASTER, PATIENCE } from '../fixtures/nfs.ts'
import { eventually } from '../fixtures/sandbox.ts'
import type { Running } from '../fixtures/sandbox.ts'
import type { Part } from './inside.ts'

/** The tree that a program was started from. */
const treeOf = ({ pid }: Running) =>
  /\/\.trees\/([^/]+)\//.exec(readFileSync(`/proc/${pid}/cmdline`, 'latin1'))?.[1]

export const deploy: Part = async (t, site) => {
  const put = () => basename(site.bassOn(MASTER, 'deploy', join(site.on(MASTER).root, 'share')))
  const start = (client: 1 | 2, env: Record<string, string>) =>
    site.startOn(client, join(site.on(client).root, 'share/slave/bin/task-taker'), env)
  const hasEnded = ({ child }: Running) => child.exitCode !== null
  const others = ['host:client-1', 'host:client-2']

  const old = put()
  others.forEach(host => site.pause(host))
  const [busy, idle] = [start(1, { HOST: 'deployed' }), start(2, { ARCH: 'other' })]
  const go = site.path('go')
  const first = await site.publish(`until [ -e '${go}' ]; do sleep 0.1; done`)
  await eventually('a run from the tree', () => site.ran().includes(first), PATIENCE)
  t.same([busy, idle].map(treeOf), [old, old])

  const fresh = put()
  const since = performance.now()
  await eventually('the end of the one that has nothing to do', () => hasEnded(idle), PATIENCE)
  t.comment(`a taker on another client sees a new tree after ${(performance.now() - since).toFixed()} ms`)
  await sleep(2000)
  t.notOk(hasEnded(busy), 'the one that has a job goes on')
  writeFileSync(go, '')
  t.equal(await site.verdict(first), 'success', 'the job has not been disturbed')
  await eventually('its end', () => hasEnded(busy), PATIENCE)
  t.same([busy.child.exitCode, idle.child.exitCode], [0, 0], 'both end as they should')

  const next = start(1, { HOST: 'deployed' })
  t.equal(await site.verdict(await site.publish()), 'success', 'the next job runs')
  t.equal(treeOf(next), fresh, 'from the new tree')
  await next.kill('SIGTERM')
  others.forEach(host => site.resume(host))
}
