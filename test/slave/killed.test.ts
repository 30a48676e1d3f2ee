// kill -9 at random instants of what runs a job in a container: the taker, the executor, the engine's command and its monitor;
// and the container is removed beneath it. No verdict is wrong, and nothing stays.

import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import tap, { test } from 'tap'

import { verdictOf } from '../../lib/spool/job.ts'
import { isLong, napTime, running } from '../fixtures/conformance.ts'
import { lacksPodman, Podman } from '../fixtures/podman.ts'
import { eventually, Sandbox } from '../fixtures/sandbox.ts'
import { Site } from '../fixtures/site.ts'

const skip = lacksPodman()
const podman = skip ? undefined : new Podman(tap, new Sandbox(tap))
podman?.importBusybox()

tap.setTimeout(1_800_000)

const ROUNDS = isLong ? 20 : 1
/** How long a job may take until the blow, in milliseconds. */
const SPAN = isLong ? 3000 : 2000

/** The verdicts of a job and of all that were made of it, up to one that is not `lost`. */
async function verdicts(site: Site, first: string): Promise<string[]> {
  const all: string[] = []
  for (let name = first; ;) {
    const verdict = await eventually(`a verdict of ${name}`, () => verdictOf(site.job(name)), 120)
    all.push(verdict)
    if (verdict !== 'lost' || all.length > 3) return all
    const job = site.job(name)
    name = await eventually('its retry', () => read(`${job}/retried-as.txt`), 60)
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}

/** The process of a container: its first, which is the executor, or the engine's monitor of it. */
function processOf(which: 'Pid' | 'ConmonPid'): number | undefined {
  const [id] = podman!.ask('ps', '--quiet').split('\n')
  if (!id) return undefined
  try {
    return Number(podman!.ask('inspect', '--format', `{{.State.${which}}}`, id)) || undefined
  } catch {
    return undefined
  }
}

/** The engine's command that holds the streams of a container. */
function commandOf(): number | undefined {
  const [program, ...options] = podman!.env['CONTAINER']!.split(' ')
  return running('--entrypoint')
    .map(Number)
    .find(pid => {
      const words = read(`/proc/${pid}/cmdline`)?.split('\0') ?? []
      return words[0] === program && words.includes(options[1]!)
    })
}

const removeContainer = () => {
  const [id] = podman!.ask('ps', '--quiet').split('\n')
  if (id) podman!.ask('rm', '--force', '--time', '0', '--ignore', id)
}

/** What is done to each victim. */
const BLOWS = {
  taker: undefined,
  executor: () => processOf('Pid'),
  monitor: () => processOf('ConmonPid'),
  command: commandOf,
  container: removeContainer,
} as const

// The other two end it as the death of the executor does.
const victims = Object.keys(BLOWS).slice(0, isLong ? undefined : 3) as (keyof typeof BLOWS)[]

for (const victim of victims) {
  test(`the end of the ${victim}: the work is done all the same, and nothing stays`, { skip }, async t => {
    const site = new Site(t)
    const env = { ...podman!.env, IMAGE: 'busy:1', LOST_AFTER: '5' }
    let struck = 0
    for (let round = 0; round < ROUNDS; round++) {
      const nap = napTime()
      const script = `echo begin; setsid sleep ${nap} & sleep 0.5; echo end`
      const name = site.publish({ a: script, b: `${script}; test -e file`, 'c.always': 'true' })
      const taker = site.taker('slot', env)
      const delay = Math.random() * SPAN
      await sleep(delay)
      const pid = victim === 'taker' ? taker.pid : BLOWS[victim]()
      if (pid !== undefined) {
        process.kill(pid, 'SIGKILL')
        struck++
      }
      if (victim === 'taker') await taker.ended
      if (victim === 'taker')
        await eventually('its container ends by itself', () => podman!.ask('ps', '--quiet') === '', 10)
      const next = victim === 'taker' ? site.taker('slot', env) : taker
      const told = await verdicts(site, name)
      t.match(
        told.join(' '),
        /^(lost )*failure$/,
        `${victim} after ${delay.toFixed(0)} ms: ${told.join(' ')}`,
      )
      await next.kill('SIGTERM')
      await eventually('no container stays', () => podman!.ask('ps', '--all', '--quiet') === '', 10)
      t.same(running(nap), [])
    }
    t.ok(struck > 0 || !isLong || victim === 'container', 'some blow met it')
    t.equal(podman!.ask('volume', 'ls', '--quiet', '--filter', 'label=bass.maker').split('\n').length, 1)
  })
}
