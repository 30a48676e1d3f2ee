// An executor in a container of its own: the image may be anything that has a kernel like ours, because the executor
// comes with its own runtime, kept in a volume of the engine. Nothing of the host is mounted.

import { machine } from 'node:os'

import { isImage } from '../base/elsewhere.ts'
import type { ContainerBounds } from '../base/elsewhere.ts'
import { Fatal, lasting, quote } from '../base/exit.ts'
import { duration, setting } from '../base/settings.ts'
import { token } from '../system/durable.ts'
import { ask, askIf, complaintOf, feed, findEngine } from '../container/engine.ts'
import type { Engine } from '../container/engine.ts'
import { containerFlags } from '../container/flags.ts'
import { ownerLabel, sweepDead } from '../container/owner.ts'
import { launch } from './launch.ts'
import type { Opened } from './launch.ts'
import { tarOf } from './pack.ts'
import { commandIn, findRuntime, nodeIn, packerIn } from './runtime.ts'
import type { Environment } from '../base/settings.ts'

/** Where a container sees its executor, and in it a copy that is whole. */
const PLACE = '/.bass-executor'
const READY = `${PLACE}/ready`

/** Where it comes into a container that makes this copy. */
const LAYER = '/.bass-new'

/** Where a container has a volume of its own, for the files of its client and for those of its executor. */
const ROOM = '/bass'

/** How long a container runs before the remains of others are looked for, in milliseconds; if it is closed first, then. */
const SWEEP_AFTER_MS = 1000

export interface ContainerWish {
  readonly image: string
  readonly bounds: ContainerBounds
  /** A user of the image. */
  readonly user?: string
}

/**
 * Starts one; throws a Fatal that says why it cannot, a lasting one where there is no such image. The container is gone when
 * it is closed, or when we are. If `stop` aborts until then, an image that is being fetched is left, too.
 */
export async function openContainer(
  wish: ContainerWish,
  env: Environment,
  stop?: AbortSignal,
): Promise<Opened> {
  try {
    return await open(wish, env, stop)
  } catch (error) {
    const why = saidIn(error)
    const attempt = `run ${quote(wish.image)}`
    if (NO_IMAGE.test(why)) throw lasting(attempt, `there is no such image, or no right to it: ${why}`)
    if (FOREIGN.test(why))
      throw lasting(attempt, `the machine of the engine has another architecture than this one, ${machine()}`)
    throw error
  }
}

/** The words of the engine in an error; empty if there are none. */
const saidIn = (error: unknown) =>
  error instanceof Fatal ? String(error.cause).replace(/^(?:podman: |docker: |Error: )+/, '') : ''

/**
 * The words of podman, docker and registries where an image is not to be had, however often one asks. A registry that is not
 * reached is not among them.
 */
const NO_IMAGE =
  /manifest unknown|access .*denied|unauthorized|did not resolve to an alias|invalid reference|must be lowercase/i

/** What runs in a container first is always our own loader, so this is said of that. */
const FOREIGN = /exec format error/i

async function open(wish: ContainerWish, env: Environment, stop?: AbortSignal): Promise<Opened> {
  if (!isImage(wish.image))
    throw lasting('run a container', `${quote(wish.image)} is not the name of an image`)
  const engine = { ...findEngine(env), stop }
  const volume = `bass-executor-${findRuntime().hash}`
  try {
    return await begin(engine, volume, wish)
  } catch (error) {
    // An engine makes the volume that it is told of and does not have, an empty one.
    if (!(error instanceof Fatal && String(error.cause).includes(READY))) throw error
    await fill(engine, wish.image, volume).catch(async (error: unknown) => {
      if (FOREIGN.test(saidIn(error))) await askIf(patient(engine), 'remove it', ['volume', 'rm', volume])
      throw error
    })
    await removeOld(engine, volume)
    return begin(engine, volume, wish)
  }
}

async function begin(engine: Engine, volume: string, wish: ContainerWish): Promise<Opened> {
  const name = `bass-${token()}`
  const isPrivate = wish.bounds.network === 'private'
  const always = patient(engine)
  if (isPrivate) await ask(always, 'make a network', ['network', 'create', ...labels(engine), name])
  const undo = async () => {
    await askIf(always, 'remove the container', ['rm', '--force', '--volumes', name])
    if (isPrivate) await askIf(always, 'remove the network', ['network', 'rm', name])
  }
  const [entrypoint, ...args] = commandIn(READY, 'stdio', 'alone')
  const flags = containerFlags({
    ...wish.bounds,
    name,
    image: wish.image,
    labels: ownedBy(engine),
    ...(isPrivate ? { network: name } : {}),
    ...(wish.user === undefined ? {} : { user: wish.user }),
    shared: { [PLACE]: volume },
    volumes: { [ROOM]: '' },
    env: { BASS_EXECUTOR: READY, TMPDIR: `${ROOM}/tmp` },
    entrypoint: entrypoint!,
    args,
    interactive: true,
  })
  try {
    const launched = await launch(
      `run ${quote(wish.image)}`,
      [...engine.command, 'run', ...flags],
      engine.env,
      { reasonIn: stderr => complaintOf(engine, stderr), stop: engine.stop },
    )
    // Remains of others are no reason to wait, and what looks for them is not to slow what begins now.
    let swept: Promise<unknown> | undefined
    const sweep = () => (swept ??= sweepDead(always).catch(() => undefined))
    const timer = setTimeout(() => void sweep(), SWEEP_AFTER_MS)
    return {
      client: launched.client,
      place: `${ROOM}/work`,
      atTerminal: (command, directory, user) => [
        ...[...engine.command, 'exec', '--interactive', ...(process.stdin.isTTY ? ['--tty'] : [])],
        ...(user === '' ? [] : ['--user', user]),
        ...['--workdir', directory, name, ...command],
      ],
      close: async () => {
        clearTimeout(timer)
        await Promise.all([launched.close().then(undo), sweep()])
      },
    }
  } catch (error) {
    // An engine that cannot be run has said so.
    await undo().catch(() => undefined)
    throw error
  }
}

/** The engine for what is done to the end. */
const patient = (engine: Engine): Engine => ({ ...engine, stop: undefined })

/** The label of what this process makes there, on the host that the engine's settings name. */
const ownedBy = ({ env }: Engine) => ownerLabel(setting('HOST', env))

const labels = (engine: Engine) =>
  Object.entries(ownedBy(engine)).flatMap(([label, value]) => ['--label', `${label}=${value}`])

/**
 * Puts the runtime into the volume, through a container of this image whose program is that very runtime. It comes into the
 * container's own layer, which is gone with the container however this ends, and the program copies it.
 */
async function fill(engine: Engine, image: string, volume: string): Promise<void> {
  const ours = token()
  const name = `${volume}-${ours}`
  const attempt = `copy the executor for ${quote(image)}`
  const [entrypoint, ...args] = nodeIn(LAYER, '-e', FINISH, packerIn(LAYER), LAYER, PLACE, `new-${ours}`)
  const flags = containerFlags({
    name,
    image,
    labels: ownedBy(engine),
    network: 'none',
    user: '0',
    volumes: { [PLACE]: volume },
    entrypoint: entrypoint!,
    args,
  })
  try {
    await ask(engine, attempt, ['create', ...flags])
    const items = findRuntime().items.map(item => ({ ...item, name: `${LAYER.slice(1)}/${item.name}` }))
    await feed(engine, attempt, ['cp', '-', `${name}:/`], tarOf(items))
    await ask(engine, attempt, ['start', '--attach', name])
  } finally {
    await askIf(patient(engine), 'remove the container', ['rm', '--force', name])
  }
}

/** Removes the executors of other versions that came there EXEC_KEEP ago. The engine refuses that of one in use. */
async function removeOld(engine: Engine, ours: string): Promise<void> {
  const list = ['volume', 'ls', '--quiet', '--filter', 'name=bass-executor-']
  const names = (await askIf(engine, 'list executors', list))?.split('\n') ?? []
  for (const name of names.filter(name => /^bass-executor-[0-9a-f]{20}$/.test(name) && name !== ours)) {
    const look = ['volume', 'inspect', '--format', '{{json .CreatedAt}}', name]
    const made = await askIf(engine, 'see how old it is', look)
    const age = Date.now() - Date.parse(String(JSON.parse(made ?? 'null')))
    if (age > duration('EXEC_KEEP', engine.env)) await askIf(engine, 'remove it', ['volume', 'rm', name])
  }
}

/**
 * Packs the runtime that this is the Node of, and puts a copy into the volume, which takes the name `ready` when it is whole: only
 * one can. Where there is one, all others are rubbish.
 */
const FINISH = `
const { cpSync, existsSync, readdirSync, renameSync, rmSync } = require('fs')
const [packer, layer, volume, ours] = process.argv.slice(1)
process.chdir(volume)
try {
  if (!existsSync('ready')) {
    require(packer).packExecutor()
    cpSync(layer, ours, { recursive: true })
    renameSync(ours, 'ready')
  }
} catch (error) {
  if (!existsSync('ready')) throw error
}
for (const name of readdirSync('.')) if (name !== 'ready') rmSync(name, { recursive: true, force: true, maxRetries: 5 })
`
