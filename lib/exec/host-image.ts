// An image of a few programs of this machine and the libraries that they need, for trials: nothing is fetched.

import { realpathSync } from 'node:fs'

import { readBounds } from '../base/elsewhere.ts'
import { setting } from '../base/settings.ts'
import { ask, askIf, feed } from '../container/engine.ts'
import type { Engine } from '../container/engine.ts'
import { containerFlags } from '../container/flags.ts'
import { ownerLabel, sweepDead } from '../container/owner.ts'
import { token } from '../system/durable.ts'
import { programFile } from '../system/program.ts'
import { toName } from './listing.ts'
import { tarOf } from './pack.ts'
import { librariesOf } from './runtime.ts'

/**
 * Gives the engine an image of this name that has the programs in `/bin`, and removes those of programs that were killed. Throws
 * a Fatal.
 */
export async function makeHostImage(
  engine: Engine,
  image: string,
  programs: readonly string[],
): Promise<void> {
  await sweepDead(engine, ['container', 'image'])
  const found = programs.map(name => ({ path: programFile(name), name: `bin/${name}` }))
  const libraries = [...new Set(found.flatMap(({ path }) => librariesOf(path)))]
  const items = [...found, ...libraries.map(path => ({ path, name: path.slice(1) }))]
  const packed = items.map(({ path, name }) => ({ path: toName(realpathSync(path)), name: toName(name) }))
  // Who makes one may be killed before it removes it.
  const labels = Object.entries(ownerLabel(setting('HOST', engine.env))).map(
    ([name, value]) => `LABEL ${name}="${value}"`,
  )
  const changes = labels.flatMap(label => ['--change', label])
  await feed(engine, 'make an image', ['import', ...changes, '-', image], tarOf(packed))
}

/** Runs a command in a container of the image: an engine that answers may still be unable to. Throws a Fatal. */
export async function runOnce(engine: Engine, image: string, args: readonly string[]): Promise<void> {
  const { env } = engine
  const own = { name: `bass-${token()}`, labels: ownerLabel(setting('HOST', env)) }
  const flags = containerFlags({ ...own, ...readBounds(env), network: 'none', image, args })
  await ask(engine, 'run a container', ['run', ...flags])
}

/** Makes an image and runs it: an engine that answers may still be unable to run anything. Throws a Fatal. */
export async function tryEngine(engine: Engine): Promise<void> {
  const image = `bass-try:${token()}`
  try {
    await makeHostImage(engine, image, ['true'])
    await runOnce(engine, image, ['/bin/true'])
  } finally {
    await askIf(engine, 'remove the image', ['rmi', '--force', image]).catch(() => undefined)
  }
}
