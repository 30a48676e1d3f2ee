// Steps elsewhere: from the start of a place to the first line of a command in it, and how fast output comes from there.

import { mkdirSync, openSync } from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'

import { openContainer } from '../../../lib/exec/in-container.ts'
import type { Launched } from '../../../lib/exec/launch.ts'
import { openOverSsh } from '../../../lib/exec/over-ssh.ts'
import { openPlace } from '../../../slave/run/places/open-place.ts'
import type { Isolate } from '../../../slave/run/places/open-place.ts'
import { Pools } from '../../../slave/run/places/pools.ts'
import { Podman } from '../../fixtures/podman.ts'
import { lacks, Sandbox } from '../../fixtures/sandbox.ts'
import { startSshd } from '../../fixtures/sshd.ts'
import { rival } from '../rivals.ts'
import type { Contender, Scenario, Stage } from '../scenario.ts'
import { watch } from '../watch.ts'
import type { Env } from '../watch.ts'

const MiB = 1024 ** 2

/** As `watch`, of a command at an executor; what it takes to open that counts. */
async function watchThere(open: () => Promise<Launched>, command: readonly string[]) {
  const opening = performance.now()
  const { client, close } = await open().then(launched => ({
    client: launched.client,
    close: () => launched.close(),
  }))
  const began = performance.now()
  let [first, bytes] = [0, 0]
  const { error, exitCode } = await client.execute(
    { command, inherit: true },
    {
      output: (_, data) => {
        first ||= performance.now() - opening
        bytes += data.length
      },
    },
  ).result
  const took = performance.now() - began
  await close()
  if (error !== '' || exitCode !== 0) throw new Error(error || `exit ${exitCode}`)
  return { first, took, bytes }
}

interface Elsewhere {
  readonly name: string
  readonly open: () => Promise<Launched>
  readonly byHand: { readonly name: string; readonly command: readonly string[]; readonly env: Env }
}

function container(stage: Stage): Elsewhere {
  const podman = new Podman(stage, new Sandbox(stage, stage.place.directory))
  const image = podman.importBusybox()
  const env = { ...process.env, ...podman.env }
  const command = [...podman.env['CONTAINER']!.split(' '), 'run', '--rm', '--network', 'none', image]
  return {
    name: 'container',
    open: () => openContainer({ image, bounds: { network: 'none' } }, env),
    byHand: { name: 'podman run', command, env },
  }
}

async function machine(stage: Stage): Promise<Elsewhere> {
  const ssh = await startSshd(stage, new Sandbox(stage, stage.place.directory))
  const env = { ...process.env, ...ssh, EXEC_KEEP: '1h' }
  process.env['PATH'] = ssh['PATH']
  return {
    name: 'ssh',
    open: () => openOverSsh('box', env),
    byHand: { name: 'ssh', command: ['ssh', 'box'], env },
  }
}

const ECHO = ['echo', 'first']

/** What runs in this very process reads it from there. */
function settle(): void {
  process.env['HOST'] ??= 'bench'
}

function starting(
  name: string,
  open: (stage: Stage) => Elsewhere | Promise<Elsewhere>,
  programs: readonly string[],
  goal?: Scenario['goal'],
): Scenario {
  return {
    name: `place-${name}`,
    about: `the first line of a command in a place of its own: ${name}`,
    unit: 'ms',
    better: 'less',
    ...(goal ? { goal } : {}),
    places: ['tmpfs'],
    rounds: { quick: 5, full: 12 },
    open: async stage => {
      settle()
      if (lacks(...programs)) return { contenders: [rival('BASS', programs, () => () => Promise.resolve(0))] }
      const place = await open(stage)
      const { byHand } = place
      return {
        contenders: [
          { name: 'BASS', round: async () => (await watchThere(place.open, ECHO)).first },
          {
            name: byHand.name,
            round: async () => (await watch([...byHand.command, ...ECHO], byHand.env)).first,
          },
        ],
      }
    },
  }
}

/** A step in a place of this machine, as a taker starts it that has run others before. */
function local(stage: Stage, isolate: Isolate): Contender {
  const pools = new Pools()
  const work = join(stage.place.directory, `work-${isolate}`)
  mkdirSync(work, { recursive: true })
  return {
    name: `BASS, ISOLATE=${isolate}`,
    round: async () => {
      const began = performance.now()
      const place = await openPlace({ isolate, work }, pools)
      const [pipe] = await pools.pipes.take(work)
      const { reader, writer } = pipe.open()
      const nowhere = openSync('/dev/null', 'w')
      const env = { PATH: process.env['PATH']!, TMPDIR: work }
      const step = await place.start({ command: ECHO, directory: work, env, stdout: writer, stderr: nowhere })
      const socket = new Socket({ fd: reader, readable: true, writable: false })
      const first = await new Promise<number>(done =>
        socket.once('data', () => done(performance.now() - began)),
      )
      await step.ended
      await step.leave()
      socket.destroy()
      pipe.close()
      await place.close()
      return first
    },
  }
}

const BWRAP = [
  'bwrap',
  '--unshare-all',
  '--die-with-parent',
  '--new-session',
  '--ro-bind',
  '/',
  '/',
  '--dev',
  '/dev',
]

const localScenario: Scenario = {
  name: 'place-here',
  about: 'the first line of a step on this machine, in each way that it is held together',
  unit: 'ms',
  better: 'less',
  places: ['tmpfs'],
  open: stage => {
    settle()
    return Promise.resolve({
      contenders: [
        local(stage, 'pid'),
        local(stage, 'bwrap'),
        local(stage, 'no'),
        rival('bwrap', ['bwrap'], () => async () => (await watch([...BWRAP, ...ECHO])).first),
        { name: 'fork and exec', round: async () => (await watch(ECHO)).first },
      ],
    })
  },
}

const outputScenario: Scenario = {
  name: 'place-output',
  about: 'output of a command elsewhere, memory flat',
  unit: 'MiB/s',
  better: 'more',
  places: ['tmpfs'],
  rounds: { quick: 3, full: 6 },
  open: async stage => {
    settle()
    const size = (stage.quick ? 64 : 512) * MiB
    const print = ['head', '-c', String(size), '/dev/zero']
    const speed = ({ bytes, took }: { bytes: number; took: number }) => {
      if (bytes !== size) throw new Error(`${bytes} bytes came`)
      return (bytes / MiB / took) * 1000
    }
    const places = [container(stage), await machine(stage)]
    return {
      contenders: [
        ...places.map(({ name, open }) => ({
          name: `BASS, ${name}`,
          round: async () => speed(await watchThere(open, print)),
        })),
        ...places.map(({ byHand }) => ({
          name: byHand.name,
          round: async () => speed(await watch([...byHand.command, ...print], byHand.env)),
        })),
        { name: 'a pipe', round: async () => speed(await watch(print)) },
      ],
    }
  },
}

export const elsewhereScenarios: readonly Scenario[] = [
  localScenario,
  // 150 ms more than by hand, where that took 91.
  starting('container', container, ['podman', 'runc', 'busybox'], {
    least: 241,
    aim: 170,
    of: 'podman run',
    was: 91,
  }),
  starting('ssh', machine, ['ssh', '/usr/sbin/sshd']),
  outputScenario,
]
