// The fan-out for makers of tasks in any language: copies of a directory under new numbers.

import { join } from 'node:path'

import { command, runMain } from '../lib/system/command.ts'
import { isErrno } from '../lib/base/errno.ts'
import { lasting, quote, temporary } from '../lib/base/exit.ts'
import { cloneWithNumbers } from '../lib/spool/fan-out.ts'
import { print } from '../lib/system/print.ts'
import { setting } from '../lib/base/settings.ts'
import { parseTaskName } from '../lib/spool/task-name.ts'

/** The largest number there can be: a name that is valid with it stays so. */
const LARGEST = '9'.repeat(15)

export const cloneWithCtr = command(
  {
    name: 'clone-with-ctr',
    usage: 'SRC NAME...',
    operands: [2, Infinity],
    about: `Makes numbered copies of the directory SRC in the current directory, and prints their names.

For each NAME, as :PROJECT:VERSION:ARCH[:HOST], there is then a directory of that name with the next number
in front, every file in it a hard link to the one in SRC (a copy where links run out). What is printed is on
the disk. Each copy appears when it is complete; numbers are never given out twice, but some may be skipped.`,
    environment: { TASKS: 'the counter is $TASKS/ctr; it is never made here' },
  },
  ([source, ...suffixes]) => {
    for (const suffix of suffixes) {
      if (!parseTaskName(LARGEST + suffix)) {
        throw lasting(`number ${quote(suffix)}`, 'not as :PROJECT:VERSION:ARCH[:HOST], or too long')
      }
    }
    try {
      const names = cloneWithNumbers(join(setting('TASKS'), 'ctr'), source!, '.', suffixes)
      print(names.join('\n') + '\n')
    } catch (error) {
      const attempt = `clone ${quote(source!)}`
      throw isErrno(error, 'ENOENT', 'ENOTDIR') ? lasting(attempt, error) : temporary(attempt, error)
    }
    return undefined
  },
)

if (require.main === module) runMain(cloneWithCtr, 'small')
