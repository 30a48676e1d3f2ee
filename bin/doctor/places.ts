// Which places for steps work on this host, and why the others do not. A place that a setting asks for must work.

import { readBounds, readElsewhere } from '../../lib/base/elsewhere.ts'
import { reasonOf } from '../../lib/base/errno.ts'
import { optional } from '../../lib/base/settings.ts'
import { askIf, findEngine } from '../../lib/container/engine.ts'
import { tryEngine } from '../../lib/exec/host-image.ts'
import { openContainer } from '../../lib/exec/in-container.ts'
import { openOverSsh } from '../../lib/exec/over-ssh.ts'
import { prepareIsolation } from '../../slave/run/places/open-place.ts'
import { Pools } from '../../slave/run/places/pools.ts'
import { fine, wrong } from './finding.ts'
import type { Finding } from './finding.ts'
import { programVersion } from './programs.ts'

interface Trial {
  readonly subject: string
  /** The setting that asks for the place, as `ISOLATE=pid`; undefined if none does. */
  readonly askedBy: string | undefined
  /** Answers what was seen; throws if the place does not work. */
  readonly run: () => Promise<string>
  readonly fix: string
}

/** Tries all of them at once. */
export function checkPlaces(env: NodeJS.ProcessEnv): Promise<Finding[]> {
  return Promise.all([pidNamespace(env), sandbox(env), container(env), machine(env)].map(judge))
}

async function judge({ subject, askedBy, run, fix }: Trial): Promise<Finding> {
  try {
    return fine('place', subject, await run())
  } catch (error) {
    const why = reasonOf(error)
    return askedBy === undefined
      ? fine('place', subject, `not on this host, and no setting asks for it: ${why}`)
      : wrong('place', subject, `${why}; ${askedBy} asks for it`, fix)
  }
}

/** The setting and its value, if that is one of these. */
const asks = (env: NodeJS.ProcessEnv, name: string, value: string) =>
  env[name] === value ? `${name}=${value}` : undefined

function pidNamespace(env: NodeJS.ProcessEnv): Trial {
  return {
    subject: 'pid',
    askedBy: asks(env, 'ISOLATE', 'pid'),
    run: async () => {
      await prepareIsolation('pid', new Pools())
      return 'each step can have a pid namespace of its own'
    },
    fix: 'allow user namespaces, or set ISOLATE=auto',
  }
}

function sandbox(env: NodeJS.ProcessEnv): Trial {
  return {
    subject: 'bwrap',
    askedBy: asks(env, 'ISOLATE', 'bwrap'),
    run: async () => {
      await prepareIsolation('bwrap', new Pools())
      return `each step can have a sandbox of bubblewrap ${programVersion('bwrap', ['--version'], env) ?? ''}`
    },
    fix: 'apt-get install bubblewrap, or set ISOLATE=auto',
  }
}

function container(env: NodeJS.ProcessEnv): Trial {
  const [image, engine] = [optional('IMAGE', env), optional('CONTAINER', env)]
  const askedBy = image === undefined ? engine && `CONTAINER=${engine}` : `IMAGE=${image}`
  return {
    subject: 'container',
    askedBy,
    run: () => tryContainer(env),
    fix: "apt-get install podman, or see what 'podman info' or 'docker info' says",
  }
}

async function tryContainer(env: NodeJS.ProcessEnv): Promise<string> {
  const engine = findEngine(env)
  const [program, ...options] = engine.command
  await tryEngine(engine)
  const name = `${engine.name} ${programVersion(program!, [...options, '--version'], env) ?? ''}`
  const elsewhere = readElsewhere(env)
  if (!elsewhere || !('image' in elsewhere)) return `${name} ran a container`
  const { image } = elsewhere
  // One is not fetched for this.
  if ((await askIf(engine, 'look for it', ['image', 'inspect', image])) === undefined)
    return `${name} ran a container; it has no image ${image} yet, and fetches it for the first job`
  const begun = performance.now()
  await (await openContainer({ image, bounds: readBounds(env) }, env)).close()
  return `${name} ran a container of ${image}, in ${((performance.now() - begun) / 1000).toFixed(1)} s`
}

function machine(env: NodeJS.ProcessEnv): Trial {
  const runIn = optional('RUN_IN', env)
  return {
    subject: 'ssh',
    askedBy: runIn?.startsWith('ssh:') ? `RUN_IN=${runIn}` : undefined,
    run: () => tryMachine(env),
    fix: "apt-get install openssh-client, and see that 'ssh HOST true' works without a password",
  }
}

async function tryMachine(env: NodeJS.ProcessEnv): Promise<string> {
  const version = programVersion('ssh', ['-V'], env)
  if (version === undefined) throw new Error('there is no ssh')
  const elsewhere = readElsewhere(env)
  if (!elsewhere || !('host' in elsewhere)) return 'there is an ssh; RUN_IN=ssh:HOST runs steps on HOST'
  await (await openOverSsh(elsewhere.host, env)).close()
  return `${elsewhere.host} runs steps`
}
