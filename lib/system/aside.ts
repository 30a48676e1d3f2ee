// Lets the threads in which V8 compiles step aside for whoever has work to do now, as the git, the maker and the taker of a
// push: what they compile is for later, and takes several milliseconds of a processor in each of the first pushes.

import { readdirSync } from 'node:fs'
import { constants, setPriority } from 'node:os'

/** Node starts these right after the one that runs JavaScript: one for what is delayed, and four that work. */
const COMPILING = 5

/** For the start of a program that stays. Elsewhere than on Linux priorities are of processes, and nothing changes. */
export function compileAside(): void {
  if (process.platform !== 'linux') return
  try {
    const threads = readdirSync('/proc/self/task')
      .map(Number)
      .sort((a, b) => a - b)
    for (const thread of threads.slice(1, 1 + COMPILING)) setPriority(thread, constants.priority.PRIORITY_LOW)
  } catch {
    // It only saves time.
  }
}
