import { resolve } from 'node:path'

/** The tree that this program was loaded from: the directory that holds `package.json`, `dist`, `lib` and the rest. */
export const ROOT = resolve(__dirname, '../../..')
