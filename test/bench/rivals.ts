// Programs that others use for the same work, and what they are handed.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { lacks, ROOT } from '../fixtures/sandbox.ts'
import type { Ground } from './ground.ts'
import type { Contender } from './scenario.ts'

/** A script beside this, in the sources. */
export const script = (name: string): string => join(ROOT, 'test/bench/rivals', name)

/** A contender that needs programs; one that is missing is named, and nothing else said of it. */
export function rival(
  name: string,
  programs: readonly string[],
  round: () => () => Promise<number>,
): Contender {
  const missing = programs.find(program => lacks(program))
  return missing === undefined ? { name, round: round() } : { name, missing }
}

export const LAMINAR = ['laminard', 'laminarc'] as const

/** Starts Laminar with jobs of these scripts, two at once as takers are; `ground.queues` tell its client where it is. */
export function startLaminar(ground: Ground, jobs: Readonly<Record<string, string>>): void {
  const home = ground.path('laminar')
  for (const part of ['jobs', 'contexts']) mkdirSync(join(home, 'cfg', part), { recursive: true })
  writeFileSync(join(home, 'cfg/contexts/default.conf'), 'EXECUTORS=2\n')
  for (const [name, text] of Object.entries(jobs))
    writeFileSync(join(home, `cfg/jobs/${name}.run`), `#!/bin/sh -e\n${text}\n`, { mode: 0o755 })
  const env = {
    LAMINAR_HOME: home,
    LAMINAR_BIND_RPC: ground.queues['LAMINAR_HOST'],
    LAMINAR_BIND_HTTP: `unix:${home}/http`,
  }
  ground.start('laminard', [], { env })
  const ready = 'until laminarc show-jobs >/dev/null 2>&1; do sleep 0.02; done'
  ground.ok('timeout', ['10', 'sh', '-c', ready], { env: ground.queues })
}

/** Puts a hook into a repository. */
export function installHook(bare: string, text: string): void {
  writeFileSync(join(bare, 'hooks/post-receive'), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
}
