// The user's crontab, by the command `crontab`. It is read and written as bytes, one character each.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { lasting } from '../../../lib/base/exit.ts'
import { runSync } from '../../../lib/system/run.ts'

function crontab(args: readonly string[], input?: string) {
  const { code, stdout, stderr } = runSync(['crontab', ...args], {
    encoding: 'latin1',
    env: { ...process.env, LC_ALL: 'C' },
    ...(input === undefined ? {} : { input }),
  })
  return { ok: code === 0, stdout, why: stderr.trim().split('\n')[0] ?? '' }
}

/** The crontab that is installed; empty if there is none. Throws Fatal if that cannot be known. */
export function readCrontab(): string {
  const { ok, stdout, why } = crontab(['-l'])
  if (ok) return stdout
  // Any other failure says nothing of what is there.
  if (/^(?:crontab: )?no crontab for /.test(why)) return ''
  throw lasting('read the crontab', why)
}

/** Installs a whole crontab. Throws Fatal if cron does not take it; then the old one stays. */
export function installCrontab(text: string): void {
  const { ok, why } = crontab(['-'], text)
  if (!ok) throw lasting('install the crontab', why)
}

/** Why cron would not take a crontab; undefined if it would, or if this cron cannot tell without installing it. */
export function judge(text: string): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), 'git-jci-'))
  try {
    const file = join(directory, 'crontab')
    writeFileSync(file, text, 'latin1')
    const { ok, why } = crontab(['-n', file])
    // Where it is in that file, nobody wants to know.
    return ok || /invalid option|usage|unrecognized/i.test(why)
      ? undefined
      : why.replace(/^"?\S+"?:\d+: /, '')
  } finally {
    rmSync(directory, { recursive: true })
  }
}
