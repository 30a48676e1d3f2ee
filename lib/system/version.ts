import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { ROOT } from '../base/root.ts'

/** The version of this tree. */
export function version(): string {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  return version
}
