// What BASS promises where the file server is well.

import { statSync, watch } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'

import { mustList } from '../../lib/system/listing.ts'
import { parseTaskName } from '../../lib/spool/task-name.ts'
import { readBeat } from '../../master/reap/gone.ts'
import { CLIENTS, MASTER, PATIENCE, requestsOf } from '../fixtures/nfs.ts'
import { eventually } from '../fixtures/sandbox.ts'
import type { Part, Scale } from './inside.ts'

/** As the site has it, in milliseconds. */
const POLL_INTERVAL = 1000

/** Tells a time, and judges it where that is fair; in milliseconds. */
function within(t: Test, { judge }: Scale, what: string, took: number, limit: number): void {
  const said = `${what}: ${took.toFixed()} ms, of ${limit}`
  if (judge) t.ok(took <= limit, said)
  else t.comment(said)
}

export const tasks: Part = async (t, site, scale) => {
  const published = new Map<string, number>()
  // The server itself hears at once what its clients do.
  const watcher = watch(site.spool.tasks.cur, (_, name) => {
    if (parseTaskName(name ?? '') && !published.has(name!)) published.set(name!, Date.now())
  })
  const [ran, old] = [site.ran().length, mustList(site.spool.tasks.old).length]
  const asked = CLIENTS.map(requestsOf)
  for (let i = 0; i < scale.tasks; i++) {
    // No more at a time than there are takers: how long they wait for each other is not what is measured.
    await eventually('some to begin', () => site.ran().length - ran > i - 2 * scale.slots, PATIENCE)
    site.touch()
  }
  await eventually(
    'all to be over',
    () => mustList(site.spool.tasks.old).length === old + scale.tasks,
    PATIENCE,
  )
  watcher.close()
  const requests = CLIENTS.map((client, i) => (requestsOf(client) - asked[i]!) / scale.tasks)
  t.comment(`requests for each task, by client: ${requests.map(count => count.toFixed()).join(', ')}`)

  const names = [...published.keys()].sort()
  t.equal(names.length, scale.tasks, 'each event became one task')
  t.same(site.ran().slice(ran).sort(), names, 'each task ran once')
  t.ok(
    names.every(name => site.verdictOf(name) === 'success'),
    'with success',
  )
  const claimed = (name: string) => statSync(join(site.spool.tasks.old, name, 'claim')).ctimeMs
  const delays = names.map(name => claimed(name) - published.get(name)!).sort((a, b) => a - b)
  const median = delays[delays.length >> 1]!
  t.comment(`from publication to claim: ${delays.at(-1)!.toFixed()} ms at most`)
  within(t, scale, 'from publication to claim, the median', median, POLL_INTERVAL + 100)
}

export const cancel: Part = async (t, site, scale) => {
  const running = await site.runOn(1, 'sleep 1000')
  site.pause('all')
  const waiting = await site.publish()
  for (const name of [running, waiting]) {
    site.bassOn(MASTER, 'cancel', name)
    t.equal(await site.verdict(name), 'cancelled', name === running ? 'a running job' : 'a waiting task')
    const wished = statSync(join(site.task(name), 'cancel')).mtimeMs
    const took = statSync(join(site.job(name), 'result.txt')).mtimeMs - wished
    within(t, scale, 'from the wish to the verdict', took, POLL_INTERVAL + 2000)
  }
  site.resume('all')
}

export const beat: Part = async (t, site, { lostAfter }) => {
  const name = await site.runOn(1, `sleep ${2 * lostAfter}`)
  const alive = join(site.on(MASTER).jobs.cur, name, 'alive')
  let [changes, last, since, silence] = [0, '', performance.now(), 0]
  while (site.verdictOf(name) === undefined) {
    const [seen, now] = [readBeat(alive), performance.now()]
    if (seen !== undefined && seen !== last) {
      if (changes++ > 0) silence = Math.max(silence, now - since)
      ;[last, since] = [seen, now]
    }
    await sleep(100)
  }
  t.comment(`${changes} signs of life seen in ${2 * lostAfter} s, ${silence.toFixed()} ms apart at most`)
  t.ok(changes >= lostAfter, 'at least one each two seconds')
  t.equal(site.verdictOf(name), 'success', 'a job that is heard of is not lost')
}

export const doctor: Part = (t, site) => {
  const report = site.bassOn(1, 'doctor')
  t.match(report, /^ok {5}file-system \S+: nfs4? at \/mnt\/c1 /m)
  t.match(report, /^ok {5}atomic .*\/jobs\/tmp: /m)
  t.match(report, /^ok {5}host-name client-2: one host has this name$/m)
  t.match(report, /^ok {5}clock the file server: agrees with ours$/m)
  return Promise.resolve()
}
