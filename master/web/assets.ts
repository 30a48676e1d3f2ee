// The files of our own that pages refer to, in memory: they are few and small.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { ROOT } from '../../lib/base/root.ts'
import { readStyle } from '../../lib/web/style.ts'
import { ICONS, iconSvg } from './pages/icon.ts'

export interface Assets {
  /** Changes when any of them does: it ends each link to one. */
  readonly edition: string
  find(name: string): { readonly type: string; readonly body: Buffer<ArrayBuffer> } | undefined
}

export function readAssets(): Assets {
  const hash = createHash('sha256')
  const files = new Map<string, { type: string; body: Buffer<ArrayBuffer> }>()
  const keep = (name: string, type: string, body: Buffer<ArrayBuffer>) => {
    hash.update(body)
    files.set(name, { type, body })
  }
  keep('reporter.css', 'text/css; charset=utf-8', Buffer.from(readStyle()))
  // It is not compiled: it stays where the sources are.
  const script = readFileSync(join(ROOT, 'master/web/static/reporter.js'))
  keep('reporter.js', 'text/javascript; charset=utf-8', Buffer.from(script))
  for (const mark of ICONS) keep(`icon-${mark}.svg`, 'image/svg+xml', Buffer.from(String(iconSvg(mark))))
  return { edition: hash.digest('hex').slice(0, 12), find: name => files.get(name) }
}
