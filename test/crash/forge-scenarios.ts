// From deliveries of a forge to events, to what is held, and to what is cancelled.

import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

const HEAD = 'refs/pull/7/head'

export const SECRET = 'a secret of some length'

/**
 * The forge is a repository beside the spool; the mirror is in the spool, so that a power cut meets it as well. It has what the
 * forge has, unless it is `behind`.
 */
export function onForge(world: World, ref: string, behind?: 'behind'): void {
  const forge = world.sandbox.path('forge/o/r.git')
  world.cloneRepository(forge)
  execFileSync('git', ['update-ref', ref, world.fixtures.revisions[1]!], { cwd: forge })
  const mirror = join(world.spool, 'mirror.git')
  execFileSync('git', ['init', '-q', '--bare', '-b', 'main', mirror])
  execFileSync('git', ['config', 'core.fsync', 'committed,loose-object,reference'], { cwd: mirror })
  const refs = behind ? [] : ['+refs/heads/*:refs/heads/*', `+${ref}:${ref}`]
  const first = `+${world.fixtures.revisions[0]!}:refs/heads/main`
  execFileSync('git', ['fetch', '-q', forge, ...(behind ? [first] : refs)], { cwd: mirror })
  const insteadOf = `[url "${world.sandbox.path('forge')}/"]\n\tinsteadOf = https://github.com/\n`
  writeFileSync(world.sandbox.path('.gitconfig'), insteadOf)
  mkdirSync(join(world.spool, 'conf/hello'), { recursive: true })
  const rc = {
    PROJECT: 'hello',
    PROJ: mirror,
    ARCHS: 'testarch otherarch',
    FORGE: 'github:o/r',
    FORGE_POLL: '0',
    FORGE_SECRET_FILE: world.sandbox.path('secret'),
  }
  writeFileSync(world.sandbox.path('secret'), SECRET)
  const lines = Object.entries(rc).map(([name, value]) => `${name}='${value}'\n`)
  writeFileSync(join(world.spool, 'conf/hello/rc'), lines.join(''))
  const inbox = join(world.spool, 'inbox/hello')
  for (const name of ['new', 'doing', 'done', 'made', 'changes'])
    mkdirSync(join(inbox, name), { recursive: true })
  writeFileSync(join(inbox, 'tips'), `${world.fixtures.revisions[0]!} refs/heads/main\n`)
}

function deliver(world: World, event: string, payload: unknown): void {
  const headers = [
    ['content-type', 'application/json'],
    ['x-github-event', event],
  ]
  const content = `${JSON.stringify(headers)}\n${JSON.stringify(payload)}`
  writeFileSync(join(world.spool, 'inbox/hello/new', `delivery-${event}`), content)
}

export const push = (world: World) => ({
  ref: 'refs/heads/main',
  before: world.fixtures.revisions[0]!,
  after: world.fixtures.revisions[1]!,
  repository: { full_name: 'o/r' },
})

const pull = (world: World, fork: boolean, action = 'synchronize') => ({
  action,
  number: 7,
  repository: { full_name: 'o/r' },
  pull_request: {
    number: 7,
    title: 'A title',
    user: { login: 'grace', id: 9 },
    base: { sha: world.fixtures.revisions[0]!, ref: 'main', repo: { id: 1 } },
    head: { sha: world.fixtures.revisions[1]!, ref: 'topic', repo: { id: fork ? 2 : 1 } },
  },
})

export const fetchOnce = (world: World) => world.run('master/bin/fetcher', ['--once', 'hello'])

export async function recover(world: World): Promise<void> {
  await fetchOnce(world)
  await world.makeAll()
  await world.reap()
}

export const second = (world: World): string[] =>
  ['testarch', 'otherarch'].map(arch => `${world.fixtures.revisions[1]!} ${arch}`)

/** What is held of the change. */
const heldOf = (world: World): string[] => world.sandbox.ls('spool/held/hello', HEAD)

export const forgeScenarios: Scenario[] = [
  {
    name: 'a delivery becomes its event exactly once',
    program: 'master/fetcher',
    setUp: world => {
      onForge(world, 'refs/heads/main')
      deliver(world, 'push', push(world))
    },
    run: fetchOnce,
    recover,
    expected: world => ({ work: second(world), verdict: 'waits' }),
  },
  {
    name: 'a change from outside is held once, and runs once when it is approved',
    program: 'master/fetcher',
    setUp: world => {
      onForge(world, HEAD)
      deliver(world, 'pull_request', pull(world, true))
    },
    run: fetchOnce,
    recover: async world => {
      await fetchOnce(world)
      if (heldOf(world).length > 0) await world.run('bin/bass', ['approve', 'hello', '7'])
      await recover(world)
    },
    expected: world => ({ work: second(world), verdict: 'waits' }),
  },
  {
    name: 'a change that a person approves runs exactly once',
    program: 'bin/bass',
    setUp: async world => {
      onForge(world, HEAD)
      deliver(world, 'pull_request', pull(world, true))
      await fetchOnce(world)
    },
    run: world => world.run('bin/bass', ['approve', 'hello', '7']),
    recover: async world => {
      if (heldOf(world).length > 0) await world.run('bin/bass', ['approve', 'hello', '7'])
      await recover(world)
    },
    expected: world => ({ work: second(world), verdict: 'waits' }),
  },
  {
    name: 'a commit that has to be fetched becomes its event exactly once',
    program: 'master/fetcher',
    setUp: world => {
      onForge(world, 'refs/heads/main', 'behind')
      deliver(world, 'push', push(world))
    },
    run: fetchOnce,
    recover,
    expected: world => ({ work: second(world), verdict: 'waits' }),
  },
  {
    name: 'what no delivery told of is found, and becomes its event exactly once',
    program: 'master/fetcher',
    setUp: world => {
      onForge(world, 'refs/heads/main')
      appendFileSync(join(world.spool, 'conf/hello/rc'), 'FORGE_POLL=1h\n')
    },
    run: fetchOnce,
    recover,
    expected: world => ({ work: second(world), verdict: 'waits' }),
  },
  {
    name: 'the work for the old head of a change is cancelled, and that for the new one made exactly once',
    program: 'master/fetcher',
    setUp: world => {
      onForge(world, HEAD)
      workOfChange(world)
      deliver(world, 'pull_request', pull(world, false))
    },
    run: fetchOnce,
    recover,
    expected: world => ({
      work: [first(world), ...second(world)],
      verdict: work => (work === first(world) ? 'cancelled' : 'waits'),
    }),
  },
  {
    name: 'the work for a change that is closed is cancelled',
    program: 'master/fetcher',
    setUp: world => {
      onForge(world, HEAD)
      workOfChange(world)
      deliver(world, 'pull_request', pull(world, false, 'closed'))
    },
    run: fetchOnce,
    recover,
    expected: world => ({ work: [first(world)], verdict: 'cancelled' }),
  },
]

/** A task of the first head of the change, which waits. */
function workOfChange(world: World): void {
  const task = world.makeTask()
  writeFileSync(join(task, 'ref.txt'), HEAD + '\n')
  writeFileSync(join(task, 'params.txt'), 'CHANGE=7\nTARGET=main\n')
}

const first = (world: World): string => `${world.fixtures.revisions[0]!} testarch`
