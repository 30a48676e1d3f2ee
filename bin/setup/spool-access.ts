// Whether the user whom services are to run as may write the spool.

import { join } from 'node:path'

import { shellQuote } from '../../lib/base/shell-quote.ts'
import { spoolAt } from '../../lib/spool/spool.ts'
import { warn } from '../../lib/system/log.ts'
import { tryRunSync } from '../../lib/system/run.ts'
import type { User } from '../../lib/system/user.ts'

/** Warns, and says what to type, if the programs of that user could make nothing in the spool. Only root can try. */
export function tellIfClosed(root: string, { name, uid, gid }: User): void {
  if (process.getuid?.() !== 0) return
  const { tasks, jobs } = spoolAt(root)
  const closed = [tasks.cur, jobs.cur].find(directory => {
    const test = ['test', '-w', directory, '-a', '-x', directory]
    return tryRunSync(['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--init-groups', ...test])?.code === 1
  })
  if (closed === undefined) return
  const [at, conf] = [root, join(root, 'conf')].map(shellQuote)
  const share = `-type d -exec chgrp ${gid} {} + -exec chmod g+ws {} +`
  warn('write', closed, `${name} may not; type 'find ${at} -path ${conf} -prune -o ${share}'`)
}
