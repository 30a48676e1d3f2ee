// What runs inside the lab: a master on one client, a taker on each of two others, and the parts of the test that are
// named as arguments. Reports as tap does.

import { test } from 'tap'
import type { Test } from 'tap'

import { CLIENTS, MASTER, network, NfsSite, server } from '../fixtures/nfs.ts'
import { deploy } from './deploy.ts'
import { cut, hang, lies, reader, silence } from './faults.ts'
import { beat, cancel, doctor, tasks } from './promises.ts'
import { tick } from './tick.ts'

const SCALE =
  process.env['NFS'] === 'long'
    ? { slots: 4, tasks: 1000, disasters: 10, lostAfter: 30, hang: 60, judge: true }
    : { slots: 1, tasks: 6, disasters: 1, lostAfter: 5, hang: 8, judge: false }

/**
 * A server hangs for longer than a job may be silent; times are in seconds. `judge`: times are not only told but judged,
 * which is for a machine that has nothing else to do.
 */
export type Scale = typeof SCALE

export type Part = (t: Test, site: NfsSite, scale: Scale) => Promise<void>

const PARTS = {
  tick: ['a change in the tick of another is seen by all when the times are set', tick],
  tasks: ['each task runs exactly once, and starts in time', tasks],
  cancel: ['a cancel from another client is heard in time', cancel],
  beat: ['a sign of life is seen by another client', beat],
  doctor: ['a client where all is well is told so', doctor],
  deploy: [
    'a tree on the share is replaced while takers run from it, and they go on from the new one',
    deploy,
  ],
  cut: ['the task of a client that is cut off runs elsewhere, and it does no harm when it returns', cut],
  reader: ['a client that is cut off holds up no sign of life that it has read', reader],
  lies: ['lost replies and restarts of the server lose nothing and double nothing', lies],
  hang: ['a server whose disk hangs ends no job as lost, and holds up no timeout', hang],
  silence: ['nor does a server that nobody can reach', silence],
} as const

test('inside', { timeout: 3_000_000 }, async t => {
  const site = new NfsSite(t, { LOST_AFTER: `${SCALE.lostAfter}` })
  t.teardown(() => {
    server.goOn()
    CLIENTS.forEach(network.mend)
  })
  const programs = [site.startOn(MASTER, 'master/bin/task-maker'), site.startOn(MASTER, 'master/bin/reaper')]
  for (let slot = 1; slot <= SCALE.slots; slot++) {
    programs.push(site.startOn(1, 'slave/bin/task-taker'))
    programs.push(site.startOn(2, 'slave/bin/task-taker', { STEP_TIMEOUT: `${SCALE.hang / 2}` }))
  }
  for (const name of process.argv.slice(2)) {
    const [title, part] = PARTS[name as keyof typeof PARTS]
    await t.test(title, { timeout: 3_000_000 }, t => part(t, site, SCALE))
  }
  for (const { stderr } of programs) if (stderr() !== '') t.comment(stderr().trimEnd())
})
