// Descriptors that our parent left open: nothing here uses them, and a step is to have none of them. Node sets
// close-on-exec on those below 16 and, when it opens one, on its own.

import { closeSync, readFileSync } from 'node:fs'

import { tolerating } from '../base/errno.ts'
import { listAllIfThere } from './listing.ts'

const CLOEXEC = 0o2000000

/** Closes what was inherited above standard error and would be handed on. Where there is no /proc nothing is known of it. */
export function closeInherited(): void {
  for (const name of listAllIfThere('/proc/self/fd')) {
    const fd = Number(name)
    if (fd < 16) continue
    const info = tolerating(['ENOENT', 'EACCES'], () => readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))
    const flags = /^flags:\s*([0-7]+)$/m.exec(info ?? '')?.[1]
    if (flags === undefined || (parseInt(flags, 8) & CLOEXEC) !== 0) continue
    tolerating(['EBADF'], () => closeSync(fd))
  }
}
