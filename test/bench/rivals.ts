// Programs that others use for the same work, and what they are handed.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { lacks, ROOT } from '../fixtures/sandbox.ts'
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

/** Puts a hook into a repository. */
export function installHook(bare: string, text: string): void {
  writeFileSync(join(bare, 'hooks/post-receive'), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
}
