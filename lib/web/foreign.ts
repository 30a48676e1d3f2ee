// How files are served that a job wrote: nothing of them runs, and what a browser would not show by itself is downloaded.

import { extname } from 'node:path'

/** Types that a browser may show, by extension. Everything else is downloaded. */
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.htm': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.jpeg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.txt': 'text/plain; charset=utf-8',
  '.log': 'text/plain; charset=utf-8',
  '.md': 'text/plain; charset=utf-8',
  '.csv': 'text/plain; charset=utf-8',
  '.xml': 'text/plain; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
}

/** The type by which a browser may show a file, by the end of its name; undefined for what is to be downloaded. */
export const typeOf = (path: string): string | undefined => TYPES[extname(path).toLowerCase()]

/** No script, no form, no origin of its own: a report with its own style and pictures still looks right. */
export const SANDBOX =
  "sandbox; default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:"
