// The look of all pages: one sheet for each part of them, sent as one.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import { ROOT } from '../base/root.ts'

/** In the order in which later ones override earlier ones. They are not compiled: they stay where the sources are. */
const SHEETS = ['base', 'frame', 'forms', 'states', 'now', 'tables', 'job', 'log', 'narrow']

export const readStyle = (): string =>
  SHEETS.map(name => readFileSync(join(ROOT, 'master/web/static/style', `${name}.css`), 'utf8')).join('\n')
