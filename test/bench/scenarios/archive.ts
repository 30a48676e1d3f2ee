// A repository of 1,954 files and 20 MB: from the push to the first line, beside what git and tar need at least.

import { mkdirSync, rmSync } from 'node:fs'

import { bigCode } from '../code.ts'
import { Ground } from '../ground.ts'
import type { Scenario } from '../scenario.ts'
import { pushAndSee, standUp } from './push.ts'

/** What a bundle in a spool needs: nobody may take it before it is complete. */
const INTO_FILE = 'git archive, then tar x'
const THROUGH_PIPE = 'git archive | tar x'

export const archiveScenario: Scenario = {
  name: 'archive',
  about: '`git push` to the first line, 1,954 files, 20 MB',
  unit: 'ms',
  better: 'less',
  goal: { least: 1.15, aim: 1, of: INTO_FILE },
  places: ['tmpfs', 'ext4'],
  rounds: { quick: 3, full: 20 },
  open: async stage => {
    const ground = new Ground(stage)
    await standUp(ground, bigCode())
    const rival = (name: string, script: string) => ({
      name,
      round: () => {
        const to = ground.path('unpacked')
        mkdirSync(to)
        const began = performance.now()
        ground.ok('sh', ['-c', script, to], { cwd: ground.code })
        const took = performance.now() - began
        rmSync(to, { recursive: true })
        return Promise.resolve(took)
      },
    })
    return {
      before: () => void ground.commit(),
      contenders: [
        { name: 'BASS', round: () => pushAndSee(ground) },
        rival(INTO_FILE, 'git archive HEAD >"$0.tar" && tar -x -C "$0" -f "$0.tar"'),
        rival(THROUGH_PIPE, 'git archive HEAD | tar -x -C "$0"'),
      ],
    }
  },
}
