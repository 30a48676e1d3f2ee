// The files of our own that pages refer to, in memory: there are three, and they are small.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const TYPES = {
  'reporter.css': 'text/css; charset=utf-8',
  'reporter.js': 'text/javascript; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const

export interface Assets {
  /** Changes when any of them does: it ends each link to one. */
  readonly edition: string
  find(name: string): { readonly type: string; readonly body: Buffer<ArrayBuffer> } | undefined
}

export function readAssets(): Assets {
  const hash = createHash('sha256')
  const files = new Map<string, { type: string; body: Buffer<ArrayBuffer> }>()
  for (const [name, type] of Object.entries(TYPES)) {
    // They are not compiled: they stay where the sources are.
    const body = Buffer.from(readFileSync(join(__dirname, '../../../master/web/static', name)))
    hash.update(body)
    files.set(name, { type, body })
  }
  return { edition: hash.digest('hex').slice(0, 12), find: name => files.get(name) }
}
