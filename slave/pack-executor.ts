// Puts the executor and every module that it loads into one file, and what V8 makes of that into another. To be run where the
// executor is to run, by the Node that will run it and with the same options: V8 takes back only what it made itself.

import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, relative, resolve } from 'node:path'

import { tolerating } from '../lib/base/errno.ts'
import { COMMAND, EXECUTOR, openPacked, PACKED } from './packed-executor.ts'

/** Packs that of the tree that this file belongs to. */
export function packExecutor(root = resolve(__dirname, '../..')): void {
  const ours = createRequire(__filename)
  for (const id of [EXECUTOR, COMMAND]) ours(join(root, id))
  const files = Object.keys(ours.cache).filter(file => file.startsWith(`${root}/`))
  const modules = files.map(file => {
    const id = JSON.stringify(relative(root, file))
    const source = readFileSync(file, 'utf8')
    return `${id}:[function(exports,require,module,__filename,__dirname){${bodyOf(file, source)}\n},${foundBy(root, file, source)}]`
  })
  writeFileSync(join(root, PACKED.code), inAscii(`({${modules.join(',\n')}})`))
  const { script, load } = openPacked(root)
  // What runs now is compiled, and kept as such.
  for (const id of [EXECUTOR, COMMAND]) load(id)
  writeFileSync(join(root, PACKED.cache), script.createCachedData())
}

/** The same program of one byte for each character, which needs no decoding. */
const inAscii = (source: string): string =>
  source.replace(/[^\0-\x7f]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)

const bodyOf = (file: string, source: string): string =>
  file.endsWith('.json') ? `module.exports=${source}` : source

/** Where a module finds those that it names, if they are loaded. */
function foundBy(root: string, file: string, source: string): string {
  const { cache, resolve } = createRequire(file)
  const names = [...source.matchAll(/\brequire\(["']([^"']+)["']\)/g)].map(([, name]) => name!)
  const found = names.flatMap(name => {
    const path = tolerating(['MODULE_NOT_FOUND'], () => resolve(name))
    return path !== undefined && path in cache ? [[name, relative(root, path)] as const] : []
  })
  return JSON.stringify(Object.fromEntries(found))
}

if (require.main === module) packExecutor()
