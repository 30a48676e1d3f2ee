// The executor out of one file, with what V8 made of that, if slave/pack-executor.ts has left them here: so it is loaded in a
// fifth of the time. Else it is that of the files that it is made of.

import { existsSync, readFileSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import { Script } from 'node:vm'

/** The names of both files below the root of the tree. */
export const PACKED = { code: 'packed.js', cache: 'packed.cache' } as const

/** What is loaded, by its path below the root. */
export const EXECUTOR = 'dist/slave/executor.js'
export const COMMAND = 'dist/lib/system/command.js'

interface Exporting {
  exports: unknown
}
type Require = (name: string) => unknown

/** Modules by their paths below the root: the function that one is, and where it finds others. */
type Modules = Readonly<
  Record<
    string,
    readonly [
      body: (exports: unknown, require: Require, module: Exporting, file: string, directory: string) => void,
      found: Readonly<Record<string, string>>,
    ]
  >
>

/** Reads what is packed below a root; `load` loads a module of it. */
export function openPacked(root: string): { readonly script: Script; readonly load: Require } {
  const [filename, cache] = [join(root, PACKED.code), join(root, PACKED.cache)]
  const script = new Script(readFileSync(filename, 'latin1'), {
    filename,
    ...(existsSync(cache) ? { cachedData: readFileSync(cache) } : {}),
  })
  return { script, load: loaderOf(root, script.runInThisContext() as Modules) }
}

function loaderOf(root: string, modules: Modules): Require {
  const loaded = new Map<string, Exporting>()
  const load = (id: string): unknown => {
    const known = loaded.get(id)
    if (known) return known.exports
    const [body, found] = modules[id]!
    const file = join(root, id)
    const module: Exporting = { exports: {} }
    loaded.set(id, module)
    const require = (name: string): unknown => {
      const packed = found[name]
      if (packed !== undefined) return load(packed)
      const ours = createRequire(file)
      if (isBuiltin(name)) return ours(name)
      const other = relative(root, ours.resolve(name))
      return other in modules ? load(other) : ours(name)
    }
    body.call(module.exports, module.exports, require, module, file, dirname(file))
    return module.exports
  }
  return load
}

function main(): void {
  const root = resolve(__dirname, '../..')
  const load = existsSync(join(root, PACKED.code))
    ? openPacked(root).load
    : (id: string) => createRequire(__filename)(join(root, id)) as unknown
  const { executor } = load(EXECUTOR) as typeof import('./executor.ts')
  const { runMain } = load(COMMAND) as typeof import('../lib/system/command.ts')
  runMain(executor)
}

if (require.main === module) main()
