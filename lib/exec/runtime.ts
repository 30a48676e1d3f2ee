// The runtime that an executor brings into any Linux of the same architecture: this Node with its libraries and loader, our
// compiled files, and the packages they need. It is the same for all jobs of one version, so it is made once and kept.

import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

import { lasting, quote } from '../base/exit.ts'
import { ROOT } from '../base/root.ts'
import { programFile } from '../system/program.ts'
import { failureOf, runSync } from '../system/run.ts'
import type { Item } from './pack.ts'
import { toName } from './listing.ts'

export interface Runtime {
  /** Changes with every file of it. */
  readonly hash: string
  readonly items: readonly Item[]
}

/** The packages that an executor loads, besides what they need in turn. */
const PACKAGES = ['@grpc/grpc-js', 'protobufjs']

/** Files of those packages that only command lines and compilers need. */
const UNNEEDED = new Set(['yargs', '@types/node'])

let known: Runtime | undefined

/** The files, with their names below the directory that they are put into. */
export function findRuntime(): Runtime {
  return (known ??= makeRuntime())
}

function makeRuntime(): Runtime {
  const node = realpathSync(process.execPath)
  const mkfifo = programFile('mkfifo')
  const libraries = [...new Set([...librariesOf(node), ...librariesOf(mkfifo)])]
  const loader = libraries.find(path => basename(path).startsWith('ld-'))!
  const files: [path: string, name: string][] = [
    [node, 'node'],
    [mkfifo, 'mkfifo'],
    [loader, 'ld.so'],
    ...libraries.map((path): [string, string] => [path, `lib64/${basename(path)}`]),
    [join(ROOT, 'package.json'), 'package.json'],
    [join(ROOT, 'lib/exec/executor.proto'), 'lib/exec/executor.proto'],
    ...['dist/lib', 'dist/slave'].flatMap(directory => below(directory, name => name.endsWith('.js'))),
    ...packagesOf(PACKAGES).flatMap(directory => below(directory, name => /\.(js|json|proto)$/.test(name))),
  ]
  const hash = createHash('sha256')
  const items = files.map(([path, name]) => {
    const real = realpathSync(path)
    const { size, mtimeMs, mode } = statSync(real)
    hash.update(`${name} ${size} ${mtimeMs} ${mode}\n`)
    return { path: toName(real), name: toName(name) }
  })
  return { hash: hash.digest('hex').slice(0, 20), items }
}

/** The shared libraries of a program, its loader among them. Throws a Fatal if they cannot be told. */
export function librariesOf(program: string): string[] {
  const asked = runSync(['ldd', program])
  if (asked.code !== 0) throw lasting(`list the libraries of ${quote(program)}`, failureOf(asked))
  return [...asked.stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!)
}

/** The files below a directory of this tree. */
function below(directory: string, isWanted: (name: string) => boolean): [string, string][] {
  return readdirSync(join(ROOT, directory), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && isWanted(entry.name))
    .map(entry => {
      const path = join(entry.parentPath, entry.name)
      return [path, path.slice(ROOT.length + 1)]
    })
}

/** The directories of packages and of all that they need, below the root. */
function packagesOf(names: readonly string[], from = '', found = new Set<string>()): string[] {
  for (const name of names) {
    const directory = nearest(from, name)
    if (directory === undefined || found.has(directory)) continue
    found.add(directory)
    const { dependencies = {} } = JSON.parse(readFileSync(join(ROOT, directory, 'package.json'), 'utf8')) as {
      dependencies?: Record<string, string>
    }
    packagesOf(
      Object.keys(dependencies).filter(need => !UNNEEDED.has(need)),
      directory,
      found,
    )
  }
  return [...found]
}

/** Where Node finds a package from a directory below the root. */
function nearest(from: string, name: string): string | undefined {
  for (let at = from; ; at = dirname(at) === '.' ? '' : dirname(at)) {
    const path = join(at, 'node_modules', name)
    if (existsSync(join(ROOT, path, 'package.json'))) return path
    if (at === '') return undefined
  }
}

/**
 * A command of the Node that lies in a directory. It has no options of V8: with any, Node does not take its own modules as they
 * were compiled when it was built, and an executor starts 20 ms later.
 */
export const nodeIn = (directory: string, ...args: string[]): string[] => [
  ...[`${directory}/ld.so`, '--library-path', `${directory}/lib64`, `${directory}/node`],
  ...args,
]

/** The program that packs what lies in a directory into one file, for a start that is quicker by a hundred milliseconds. */
export const packerIn = (directory: string): string => `${directory}/dist/slave/pack-executor.js`

/** The command that joins its standard streams to a socket of one that lies there. */
export const rejoinIn = (directory: string, path: string): string[] =>
  nodeIn(directory, `${directory}/dist/slave/rejoin.js`, path)

/** The command of an executor that lies in a directory. */
export const commandIn = (directory: string, ...args: string[]): string[] =>
  nodeIn(directory, `${directory}/dist/slave/packed-executor.js`, ...args)
