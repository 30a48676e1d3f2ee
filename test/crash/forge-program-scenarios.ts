// The programs that speak with a forge over HTTP: the reporter, to which it delivers, and the notifier, which sets its checks.

import { freePort } from '../../bin/demo/free-ports.ts'
import { createHmac } from 'node:crypto'
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Ended } from '../fixtures/sandbox.ts'
import { onForge, push, recover, second, SECRET } from './forge-scenarios.ts'
import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

/** How long a forge waits for an answer here, in milliseconds. */
const PATIENCE = 2000

/** Starts a reporter and sends it a delivery, once it listens; its standard output is the status of the answer. */
async function deliverTo(world: World): Promise<Ended> {
  const port = await freePort()
  let [over, status] = [false, 'none']
  const running = world.run('master/bin/reporter', ['--hooks'], {
    env: { REPORTER_LISTEN: `127.0.0.1:${port}` },
    until: () => over,
  })
  const gone = running.then(
    () => (over = true),
    () => (over = true),
  )
  const body = JSON.stringify(push(world))
  const headers = {
    'Content-Type': 'application/json',
    'X-GitHub-Event': 'push',
    'X-GitHub-Delivery': 'delivery-1',
    'X-Hub-Signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
  }
  while (!over) {
    const url = `http://127.0.0.1:${port}/hooks/hello`
    const signal = AbortSignal.timeout(PATIENCE)
    try {
      status = String((await fetch(url, { method: 'POST', headers, body, signal })).status)
      over = true
    } catch (error) {
      // Until it listens, a connection is refused; a forge that has one and hears nothing gives up.
      const refused = String((error as Error).cause).includes('ECONNREFUSED')
      if (refused) await Promise.race([sleep(20), gone])
      else over = true
    }
  }
  return { ...(await running), stdout: status }
}

/** A forge that is told of statuses: what it was told, in order. */
const told = new WeakMap<World, string[]>()

async function openForge(world: World): Promise<string> {
  const states: string[] = []
  told.set(world, states)
  const server = createServer((request, response) => {
    void text(request).then(body => {
      states.push((JSON.parse(body) as { state: string }).state)
      response.writeHead(201, { 'Content-Type': 'application/json' }).end('{}')
    })
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  world.teardowns.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const channelOf = (world: World): string => join(world.spool, 'notices/hello/forge')
const pendingOf = (world: World): string[] =>
  world.sandbox.ls('spool/notices/hello/forge/new').filter(name => !name.startsWith('.'))

/**
 * Runs the notifier until it has told what there is to be told and cleared away what an earlier one left, or for a few
 * seconds.
 */
function notify(world: World): Promise<Ended> {
  const end = Date.now() + 8000
  const done = () => world.sandbox.ls('spool/notices/hello/forge/done')
  const isClean = () => done().every(name => !name.startsWith('.'))
  const over = () => done().includes('1.over') && isClean() && pendingOf(world).length === 0
  return world.run('master/bin/notifier', [], { until: () => over() || Date.now() > end })
}

export const forgeProgramScenarios: Scenario[] = [
  {
    name: 'a delivery that is acknowledged is there, and becomes its event exactly once',
    program: 'master/reporter',
    setUp: world => onForge(world, 'refs/heads/main'),
    run: deliverTo,
    recover: async (world, ended) => {
      // A forge has a delivery that was not acknowledged sent again, by a person.
      for (let i = 0; i < 3 && ended?.stdout !== '202'; i++) ended = await deliverTo(world)
      await recover(world)
    },
    expected: world => ({ work: second(world), verdict: 'waits' }),
  },
  {
    name: 'a verdict is told to the forge, and nothing older after it',
    program: 'master/notifier',
    setUp: async world => {
      const rc = `PROJECT=hello\nFORGE='gitea:${await openForge(world)}/o/r'\nFORGE_TOKEN=a_token\n`
      mkdirSync(join(world.spool, 'conf/hello'), { recursive: true })
      writeFileSync(join(world.spool, 'conf/hello/rc'), rc)
      mkdirSync(channelOf(world), { recursive: true })
      writeFileSync(join(channelOf(world), 'since'), '\n')
      const { tasks, jobs } = world.sandbox.spool
      const task = world.makeTask()
      writeFileSync(join(world.makeJob(join(jobs.old, world.task)), 'result.txt'), 'success\n')
      renameSync(task, join(tasks.old, world.task))
    },
    run: notify,
    recover: world => {
      // As after 10 s, when the lock of a notifier that died is stale.
      rmSync(join(world.spool, 'notices/.lock'), { recursive: true, force: true })
      return notify(world)
    },
    expected: world => ({ work: [`${world.fixtures.revisions[0]!} testarch`], verdict: 'success' }),
    findings: world => {
      const states = told.get(world) ?? []
      const after = states.slice(states.indexOf('success'))
      return [
        ...(states.includes('success') ? [] : ['the forge does not know the verdict']),
        ...(after.some(state => state !== 'success') ? [`the forge was told ${states.join(', ')}`] : []),
        ...pendingOf(world).map(name => `the notice ${name} is still to be told`),
        ...world.sandbox
          .ls('spool/notices/hello/forge/done')
          .filter(name => name.startsWith('.'))
          .map(name => `${name} is half a record`),
      ]
    },
    // Of several notifiers one tells, by a lock that is only courtesy.
    without: ['undead', 'undead later', 'two stops', 'away'],
  },
]
