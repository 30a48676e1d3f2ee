// What is stored of a run that left nothing itself: it never began, or whoever would have ended it is gone.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { writePage } from '../../../lib/jci/page.ts'
import type { RunName } from '../../../lib/jci/run-ref.ts'

/** Writes `err` and the reason, in a line, into a new directory. */
export function writeEnded(output: string, { commit, run }: RunName, why: string): void {
  writeFileSync(join(output, 'status.txt'), 'err\n')
  writeFileSync(join(output, 'run.output.txt'), `commit: ${commit}\nrun: ${run}\nresult: err (${why})\n`)
  writePage(output, { commit, run }, 'err')
}
