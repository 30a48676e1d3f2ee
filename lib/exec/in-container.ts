// An executor in a container of its own: the image may be anything that has a kernel like ours, because the executor
// comes with its own runtime, kept in a volume of the engine. Nothing of the host is mounted.

import { isImage } from '../base/elsewhere.ts'
import type { ContainerBounds } from '../base/elsewhere.ts'
import { Fatal, lasting, quote } from '../base/exit.ts'
import { setting } from '../base/settings.ts'
import { isGone } from '../system/process.ts'
import { token } from '../system/durable.ts'
import { ask, askIf, feed, findEngine } from '../container/engine.ts'
import type { Engine } from '../container/engine.ts'
import { containerFlags } from '../container/flags.ts'
import { ownerLabel, ownerOf, sweepDead } from '../container/owner.ts'
import { launch } from './launch.ts'
import type { Opened } from './launch.ts'
import { tarOf } from './pack.ts'
import { commandIn, findRuntime } from './runtime.ts'
import type { Environment } from '../base/settings.ts'

/** Where a container sees its executor. */
const PLACE = '/.bass-executor'

export interface ContainerWish {
  readonly image: string
  readonly bounds: ContainerBounds
  /** Absolute paths that are to be writable and empty, also where the image's root is read-only. */
  readonly volumes?: readonly string[]
  /** A user of the image. */
  readonly user?: string
}

/**
 * Starts one; throws a Fatal that says why it cannot, a lasting one where there is no such image. The container is gone when
 * it is closed, or when we are.
 */
export async function openContainer(wish: ContainerWish, env: Environment = process.env): Promise<Opened> {
  try {
    return await open(wish, env)
  } catch (error) {
    const why =
      error instanceof Fatal ? String(error.cause).replace(/^(?:podman: |docker: |Error: )+/, '') : ''
    if (!NO_IMAGE.test(why)) throw error
    throw lasting(`run ${quote(wish.image)}`, `there is no such image, or no right to it: ${why}`)
  }
}

/**
 * The words of podman, docker and registries where an image is not to be had, however often one asks. A registry that is not
 * reached is not among them.
 */
const NO_IMAGE =
  /manifest unknown|access .*denied|unauthorized|did not resolve to an alias|invalid reference|must be lowercase/i

async function open(wish: ContainerWish, env: Environment): Promise<Opened> {
  if (!isImage(wish.image))
    throw lasting('run a container', `${quote(wish.image)} is not the name of an image`)
  const engine = findEngine(env)
  const name = `bass-${token()}`
  const volume = await findVolume(engine, wish.image)
  const isPrivate = wish.bounds.network === 'private'
  if (isPrivate) await ask(engine, 'make a network', ['network', 'create', ...labels(engine), name])
  const undo = async () => {
    await askIf(engine, 'remove the container', ['rm', '--force', '--volumes', name])
    if (isPrivate) await askIf(engine, 'remove the network', ['network', 'rm', name])
  }
  const [entrypoint, ...args] = commandIn(PLACE, 'stdio', 'alone')
  const flags = containerFlags({
    ...wish.bounds,
    ...{ name, image: wish.image, labels: ownedBy(engine) },
    ...(isPrivate ? { network: name } : {}),
    ...(wish.user === undefined ? {} : { user: wish.user }),
    shared: { [PLACE]: volume },
    volumes: {
      ...Object.fromEntries((wish.volumes ?? []).map(path => [path, ''])),
      '/.bass-tmp': '',
    },
    env: { BASS_EXECUTOR: PLACE, TMPDIR: '/.bass-tmp' },
    ...{ entrypoint: entrypoint!, args, interactive: true },
  })
  try {
    const launched = await launch(
      `run ${quote(wish.image)}`,
      [...engine.command, 'run', ...flags],
      engine.env,
    )
    // Remains of others are no reason to wait, before nor while this starts.
    const swept = sweepDead(engine).catch(() => [])
    return {
      client: launched.client,
      atTerminal: (command, directory) => [
        ...[...engine.command, 'exec', '--interactive', ...(process.stdin.isTTY ? ['--tty'] : [])],
        ...['--workdir', directory, name, ...command],
      ],
      close: async () => {
        await launched.close()
        await undo()
        await swept
      },
    }
  } catch (error) {
    await undo()
    throw error
  }
}

/** The label of what this process makes there, on the host that the engine's settings name. */
const ownedBy = ({ env }: Engine) => ownerLabel(setting('HOST', env))

const labels = (engine: Engine) =>
  Object.entries(ownedBy(engine)).flatMap(([label, value]) => ['--label', `${label}=${value}`])

/**
 * The volume with the runtime of this version, filled if there is none. Whoever fills one does so under a name of its own,
 * and then says with a second volume, whose name only one can make, which it is: an unfinished one is never used.
 */
async function findVolume(engine: Engine, image: string): Promise<string> {
  const { hash } = findRuntime()
  const ready = `bass-executor-${hash}`
  const inspect = ['volume', 'inspect', '--format', '{{index .Labels "bass.volume"}}', ready]
  const found = await askIf(engine, 'look for the executor', inspect)
  if (found) return found
  const volume = `${ready}-${token()}`
  const maker = Object.values(ownedBy(engine))[0]!
  await ask(engine, 'make a volume', ['volume', 'create', '--label', `${MAKER}=${maker}`, volume])
  await fill(engine, image, volume)
  await askIf(engine, 'name the volume', ['volume', 'create', '--label', `bass.volume=${volume}`, ready])
  const stands = await ask(engine, 'look for the executor', inspect)
  // A container that was to be filled by one that was killed holds its volume.
  await sweepDead(engine).catch(() => [])
  await removeUnfinished(engine, stands)
  return stands
}

/** The label of a volume that was made to be filled: the process that makes it. It may outlive that. */
const MAKER = 'bass.maker'

/** Removes volumes whose maker is gone and that no name of a version leads to; also our own, if another's stands. */
async function removeUnfinished(engine: Engine, stands: string): Promise<void> {
  const found = await askIf(engine, 'list volumes', ['volume', 'ls', '--quiet', '--filter', `label=${MAKER}`])
  for (const volume of found?.split('\n') ?? []) {
    if (volume === '' || volume === stands) continue
    const label = (key: string, name: string) =>
      askIf(engine, 'inspect a volume', ['volume', 'inspect', '--format', `{{index .Labels "${key}"}}`, name])
    const maker = ownerOf((await label(MAKER, volume)) ?? '')
    const isDone = (await label('bass.volume', volume.replace(/-[^-]*$/, ''))) === volume
    if (
      isDone ||
      !maker ||
      maker.host !== setting('HOST', engine.env) ||
      !(isGone(maker) || maker.pid === process.pid)
    )
      continue
    await askIf(engine, 'remove a volume', ['volume', 'rm', volume])
  }
}

/** Copies the runtime through a container that never runs. */
async function fill(engine: Engine, image: string, volume: string): Promise<void> {
  const name = `${volume}-fill`
  const attempt = `copy the executor for ${quote(image)}`
  const flags = containerFlags({
    name,
    image,
    labels: ownedBy(engine),
    network: 'none',
    volumes: { [PLACE]: volume },
    args: ['/'],
  })
  await ask(engine, attempt, ['create', ...flags])
  try {
    await feed(engine, attempt, ['cp', '-', `${name}:${PLACE}`], tarOf(findRuntime().items))
  } finally {
    await askIf(engine, 'remove the container', ['rm', '--force', name])
  }
}
