// What BASS promises where the file server, or the way to it, is not well.

import { statSync, writeFileSync } from 'node:fs'
import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { readIfThere } from '../../lib/system/durable.ts'
import { listIfThere, mustList } from '../../lib/system/listing.ts'
import { CLIENTS, network, PATIENCE, server } from '../fixtures/nfs.ts'
import { eventually } from '../fixtures/sandbox.ts'
import type { Part } from './inside.ts'

/** For a step: shows in a file of this machine that it still runs. */
const TICKING = (file: string) => `while :; do echo; echo >'${file}'; sleep 0.2; done`

const isTicking = (file: string) => Date.now() - statSync(file).mtimeMs < 2000

export const cut: Part = async (t, site) => {
  const ticks = site.path('ticks')
  const name = await site.runOn(1, `[ $BASS_HOST != client-1 ] || { ${TICKING(ticks)}; }`)
  await eventually('the step', () => listIfThere(site.dir).includes('ticks'))
  network.cut(1)
  t.equal(await site.verdict(name), 'lost', 'the job is lost')
  const retry = await eventually('a retry', () => site.retriedAs(name), PATIENCE)
  t.equal(await site.verdict(retry), 'success', 'another client has done the work')
  t.ok(isTicking(ticks), 'while the step still runs where it was')
  network.mend(1)
  // After some time without an answer a client asks only now and then.
  await eventually('the end of the step', () => !isTicking(ticks), PATIENCE)
  const next = await site.runOn(1, ':')
  t.equal(await site.verdict(next), 'success', 'the client that returned goes on with another task')
  t.equal(site.verdictOf(name), 'lost', 'the verdict stands')
  t.same(
    site.ran().filter(ran => ran === name || ran === retry),
    [name, retry],
    'each of the two ran once',
  )
}

/** Longer than a lease of the lab's server, in seconds. */
const LEASE = 15

export const reader: Part = async (t, site) => {
  // What nobody has open for writing is lent to whoever reads it, once a server has been up for a while.
  const lent = (client: 1 | 2) => join(site.on(client).root, 'lent')
  writeFileSync(lent(1), '')
  const isLent = () => {
    readIfThere(lent(2))
    return server.lends('lent')
  }
  await eventually('a server that lends', isLent, PATIENCE)

  const name = await site.runOn(1, `sleep ${LEASE + 5}`)
  const beat = () => statSync(join(site.job(name), 'alive')).mtimeMs
  await sleep(2000)
  site.bassOn(2, 'status')
  // What is not read for some seconds is given back.
  await eventually('a file that is lent', isLent, PATIENCE)
  network.cut(2)
  let isTouched = false
  const touched = utimes(lent(1), 0, 0).then(() => (isTouched = true))
  const beats = new Set<number>()
  for (let look = 0; look < 10 * LEASE; look++) {
    beats.add(beat())
    if (look === 50) t.notOk(isTouched, 'what was lent to the client that is cut off nobody can touch')
    await sleep(100)
  }
  network.mend(2)
  t.ok(beats.size >= LEASE / 2, `and yet ${beats.size} signs of life in ${LEASE} s`)
  t.equal(await site.verdict(name), 'success', 'the job goes on')
  await touched
}

export const lies: Part = async (t, site, { disasters }) => {
  // A task has its verdict before it is in tasks/old: that of the part before would be counted for one of these.
  await eventually('nothing to do', () => mustList(site.spool.tasks.cur).length === 0, PATIENCE)
  const [ran, old] = [site.ran().length, mustList(site.spool.tasks.old).length]
  let touched = 0
  for (let i = 0; i < disasters; i++) {
    for (let k = 0; k < 5; k++, touched++) site.touch('sleep 0.2')
    // At another instant of the work each time.
    await sleep(500 + 370 * (i % 7))
    const deaf = [CLIENTS, ...CLIENTS.map(client => [client])][i % 4]!
    deaf.forEach(network.loseReplies)
    await sleep(1000)
    server.restart()
    deaf.forEach(network.mend)
    await eventually('the work to go on', () => site.ran().length - ran >= touched - 2, PATIENCE)
  }
  await eventually('all to be over', () => mustList(site.spool.tasks.old).length === old + touched, PATIENCE)
  const names = site.ran().slice(ran)
  t.equal(names.length, touched, 'as many runs as there were events')
  t.equal(new Set(names).size, touched, 'no task ran twice')
  t.same(
    names.filter(name => site.verdictOf(name) !== 'success'),
    [],
    'none was lost, and none failed',
  )
  // A taker that lost a race for one of them may only now get the answer to what it asked, and removes its claim then.
  await eventually('nothing to be left behind', () => site.leftovers().length === 0, PATIENCE)
}

/** A time in which no request is answered, from `begin` to `end`. */
const hangs =
  (begin: () => void, end: () => void): Part =>
  async (t, site, { hang }) => {
    const ticks = site.path('hanging')
    const patient = await site.runOn(1, `sleep ${hang / 2}`)
    // Client 2 gives a step half of the time that the server hangs.
    const endless = await site.runOn(2, TICKING(ticks))
    begin()
    try {
      await sleep(hang * 1000)
      t.notOk(isTicking(ticks), 'a step whose time was up has ended while nothing was answered')
    } finally {
      end()
    }
    t.equal(await site.verdict(endless), 'timeout', 'its verdict says why')
    t.equal(await site.verdict(patient), 'success', 'a step that went on has not been disturbed')
    const next = await site.publish()
    t.equal(await site.verdict(next), 'success', 'everything goes on')
    t.same(
      [patient, endless, next].map(name => site.retriedAs(name)),
      [undefined, undefined, undefined],
      'nothing was done twice',
    )
  }

export const hang = hangs(server.hang, server.goOn)

export const silence = hangs(
  () => CLIENTS.forEach(network.cut),
  () => CLIENTS.forEach(network.mend),
)
