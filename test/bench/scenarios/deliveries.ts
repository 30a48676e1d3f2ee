// Webhooks of a forge: from a delivery to the first line of its step, and how long the forge waits for answers in a burst.

import { createHmac } from 'node:crypto'
import { Agent, request } from 'node:http'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { eventually } from '../../fixtures/sandbox.ts'
import { smallCode } from '../code.ts'
import { Ground } from '../ground.ts'
import { pushAndSee, standUp, stepThatRings } from './push.ts'
import type { Scenario } from '../scenario.ts'

const SECRET = 'a secret of some length'
const STEP = '10-first'

/** A project on a forge, which is a repository here, its reporter, and who sends deliveries to it. */
class Forge {
  readonly ground: Ground
  readonly remote: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 })
  #port = 0
  #pid = 0
  #deliveries = 0

  constructor(ground: Ground) {
    this.ground = ground
    this.remote = ground.path('forge/o/r.git')
  }

  /** Lays it out, of the code of the ground, and starts the reporter, without pages. */
  async open(): Promise<void> {
    const { ground } = this
    ground.ok('mkdir', ['-p', ground.path('forge/o')])
    ground.makeBare(this.remote)
    const insteadOf = `[url "${ground.path('forge')}/"]\n\tinsteadOf = https://github.com/\n`
    writeFileSync(ground.path('.gitconfig'), insteadOf, { flag: 'a' })
    ground.ok('bin/bass', ['init', ground.spool.root, '--project', 'hello', '--forge', 'github:o/r'], {
      env: { BASS_RC: undefined },
    })
    writeFileSync(join(ground.spool.root, 'conf/hello/forge.secret'), SECRET)
    const env = { BASS_RC: undefined, REPORTER_LISTEN: '127.0.0.1:0' }
    const reporter = ground.start('master/bin/reporter', ['--hooks'], { env })
    this.#pid = reporter.pid
    const listening = () => /http:\/\/127\.0\.0\.1:(\d+)/.exec(reporter.stderr())?.[1]
    this.#port = Number(await eventually(`the reporter listens: ${reporter.stderr()}`, listening))
  }

  /** What the reporter has taken of a processor, in milliseconds. */
  processorTime(): number {
    const fields = readFileSync(`/proc/${this.#pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) * 10
  }

  /** Sends a delivery; answers how long its answer took, in milliseconds. */
  deliver(event: string, payload: object): Promise<number> {
    const body = JSON.stringify(payload)
    const headers = {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'X-GitHub-Event': event,
      'X-GitHub-Delivery': `${process.pid}-${++this.#deliveries}`,
      'X-Hub-Signature-256': `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`,
    }
    const [port, agent, path] = [this.#port, this.#agent, '/hooks/hello']
    const began = performance.now()
    return new Promise((done, failed) => {
      const sent = request({ port, agent, path, host: '127.0.0.1', method: 'POST', headers }, answer => {
        answer.resume().on('end', () => {
          if (answer.statusCode! < 300) done(performance.now() - began)
          else failed(new Error(`a delivery was answered ${String(answer.statusCode)}`))
        })
      })
      sent.on('error', failed).end(body)
    })
  }
}

const pushOf = (before: string, after: string) => ({
  ref: 'refs/heads/main',
  before,
  after,
  repository: { full_name: 'o/r' },
  pusher: { name: 'ada' },
})

export const deliveryScenario: Scenario = {
  name: 'delivery',
  about: 'a webhook to the first line of the first step, with a mirror that is up to date; beside `git push`',
  unit: 'ms',
  better: 'less',
  goal: { least: 2, aim: 1, of: 'git push' },
  places: ['tmpfs', 'ext4'],
  open: async stage => {
    const pushed = new Ground(stage)
    await standUp(pushed, smallCode())
    const ground = new Ground(stage)
    ground.makeCode({ ...smallCode(), [`.bass/${STEP}`]: stepThatRings(ground.bell.path) })
    const forge = new Forge(ground)
    await forge.open()
    ground.env['BASS_RC'] = join(ground.spool.root, 'conf/hello/rc')
    ground.start('master/bin/fetcher', [], { env: { FORGE_POLL: '0' } })
    ground.start('master/bin/reaper')
    await ground.makers()
    // The first look builds the default branch.
    await ground.takers(1)
    await ground.bell.next()
    await ground.until(ground.spool.tasks.old, 1)
    const mirror = join(ground.spool.root, 'mirrors/hello.git')
    const round = async () => {
      const before = ground.ls('spool/tasks/old').length
      const was = ground.git(ground.code, 'rev-parse', 'HEAD')
      const commit = ground.commit()
      for (const to of [forge.remote, mirror])
        ground.git(ground.code, 'push', '-q', to, 'HEAD:refs/heads/main')
      const began = performance.now()
      await forge.deliver('push', pushOf(was, commit))
      const { line: task } = await ground.bell.next()
      const seen = await ground.logged(task, STEP)
      await ground.until(ground.spool.tasks.old, before + 1)
      return seen - began
    }
    return {
      before: () => void pushed.commit(),
      contenders: [
        { name: 'webhook', round },
        { name: 'git push', round: () => pushAndSee(pushed) },
      ],
    }
  },
}

/** So many deliveries are sent, over so many connections: as fast as their answers come. */
const [BURST, CONNECTIONS] = [1000, 16]
/** A pull request has some 20 KB on GitHub. */
const PADDING = 'x'.repeat(20_000)

/** The time that 99 of 100 answers took at most, in milliseconds. */
async function burst(deliver: (i: number) => Promise<number>): Promise<number> {
  const times: number[] = []
  let sent = 0
  const send = async () => {
    while (sent < BURST) times.push(await deliver(sent++))
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, send))
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)]!
}

export const burstScenario: Scenario = {
  name: 'burst',
  about: `the slowest answers (p99) to ${BURST} webhooks of 20 kB on ${CONNECTIONS} connections, all durable`,
  unit: 'ms',
  better: 'less',
  goal: { least: 50, aim: 25 },
  places: ['tmpfs', 'ext4'],
  open: async stage => {
    const ground = new Ground(stage)
    ground.makeCode(smallCode())
    const forge = new Forge(ground)
    await forge.open()
    const sha = (i: number) => i.toString(16).padStart(40, 'f')
    let [spent, sent] = [0, 0]
    const round = async () => {
      const before = forge.processorTime()
      const figure = await burst(i =>
        forge.deliver('push', { ...pushOf(sha(i), sha(i + 1)), padding: PADDING }),
      )
      spent += forge.processorTime() - before
      sent += BURST
      return figure
    }
    return {
      contenders: [
        {
          name: 'BASS',
          round,
          remark: () => `${(spent / sent).toFixed(2)} ms of a processor each`,
        },
        {
          name: 'pings, of which nothing is stored',
          round: () => burst(() => forge.deliver('ping', { zen: PADDING })),
        },
      ],
    }
  },
}
