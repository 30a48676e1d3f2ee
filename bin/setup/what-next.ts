// Tells a person what to type next, so that it works from the current directory.

import { readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'

import { tolerating } from '../../lib/base/errno.ts'
import { setting } from '../../lib/base/settings.ts'
import { shellQuote } from '../../lib/base/shell-quote.ts'
import { processesWith } from '../../lib/system/process.ts'

/** Returns the word that runs this very `bass` in a shell: its path, where PATH leads to another one or to none. */
export function bassCommand(): string {
  const ours = join(setting('BASS_ROOT'), 'bin/bass')
  const real = (path: string) => tolerating(['ENOENT', 'ENOTDIR', 'EACCES'], () => realpathSync(path))
  const directories = setting('PATH').split(':').filter(Boolean)
  const found = directories.map(directory => real(join(directory, 'bass'))).find(path => path !== undefined)
  return found === real(ours) ? 'bass' : shellQuote(ours)
}

/** True if `bass up` runs a spool on this host, as far as we may see its programs. */
export const isUp = (root: string): boolean =>
  processesWith(`SPOOL=${root}`).some(pid => {
    const parent = /^PPid:\s*(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1]
    const [, program = '', verb] = parent === undefined ? [] : read(`/proc/${parent}/cmdline`).split('\0')
    return program.endsWith('/dist/bin/bass.js') && verb === 'up'
  })

const read = (path: string): string =>
  tolerating(['ENOENT', 'ESRCH', 'EACCES', 'EPERM'], () => readFileSync(path, 'latin1')) ?? ''
