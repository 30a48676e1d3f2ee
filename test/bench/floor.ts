// The floors: the same work by the same system calls without us, in C; what each leaves out is in limits.md.

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { ROOT } from '../fixtures/sandbox.ts'
import { Ground } from './ground.ts'
import { rival } from './rivals.ts'
import type { Contender, Stage } from './scenario.ts'

export const floorSource = (name: string): string => join(ROOT, 'test/bench/floor', name)

/** A floor in C, for which `open` gets the compiled program. */
export function floor(
  stage: Stage,
  name: 'claims' | 'events' | 'label' | 'taker',
  open: (program: string) => () => Promise<number>,
): Contender {
  return rival('floor in C', ['gcc'], () => {
    const program = join(stage.place.directory, `floor-${name}`)
    if (!existsSync(program)) execFileSync('gcc', ['-O2', '-o', program, floorSource(`${name}.c`)])
    return open(program)
  })
}

/** Ground with takers in C, which know no compressor: tasks are to be laid with `cat`. */
export function groundOfFloor(stage: Stage, program: string, takers: number): Ground {
  const ground = new Ground(stage)
  ground.init()
  for (let i = 0; i < takers; i++) ground.start(program, [ground.spool.root, ground.path('jobtmp')])
  return ground
}
