// Which part of the house may know which: arrows point down only, and there is no cycle.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import ts from 'typescript'

import { ROOT } from '../fixtures/sandbox.ts'

const PURE = [
  'description',
  'env-file',
  'errno',
  'exit',
  'nearest',
  'pause-name',
  'settings',
  'shell-quote',
  'tai64n',
  'task-name',
  'text',
]
const SYSTEM = ['durable', 'lock', 'log', 'process', 'trace']

/** What each part may import, itself included. A module of lib that is not named above is of the domain. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  pure: ['pure'],
  system: ['system', 'pure'],
  domain: ['domain', 'system', 'pure'],
  master: ['master', 'domain', 'system', 'pure'],
  slave: ['slave', 'domain', 'system', 'pure'],
  bin: ['bin', 'master', 'slave', 'domain', 'system', 'pure'],
}

/** Every source, `lib/durable`, and the sources it imports, also lazily and also for their types only. */
function readArrows(): Map<string, string[]> {
  const sources = ['bin', 'lib', 'master', 'slave'].flatMap(directory =>
    readdirSync(join(ROOT, directory), { encoding: 'utf8', recursive: true })
      .filter(name => name.endsWith('.ts'))
      .map(name => `${directory}/${name}`),
  )
  return new Map(
    sources.map(source => {
      const { importedFiles } = ts.preProcessFile(readFileSync(join(ROOT, source), 'utf8'), true, true)
      const relative = importedFiles.map(file => file.fileName).filter(name => name.startsWith('.'))
      return [source.slice(0, -3), relative.map(name => join(source, '..', name).slice(0, -3))]
    }),
  )
}

function partOf(module: string): string {
  const [directory, name] = module.split('/') as [string, string]
  if (directory !== 'lib') return directory
  return PURE.includes(name) ? 'pure' : SYSTEM.includes(name) ? 'system' : 'domain'
}

function findCycle(arrows: Map<string, string[]>): string[] | undefined {
  const done = new Set<string>()
  const visit = (module: string, path: string[]): string[] | undefined => {
    if (path.includes(module)) return [...path.slice(path.indexOf(module)), module]
    if (done.has(module)) return undefined
    for (const next of arrows.get(module) ?? []) {
      const cycle = visit(next, [...path, module])
      if (cycle) return cycle
    }
    done.add(module)
    return undefined
  }
  for (const module of arrows.keys()) {
    const cycle = visit(module, [])
    if (cycle) return cycle
  }
  return undefined
}

test('every import is of a source that is there', async t => {
  const arrows = readArrows()
  t.ok(arrows.size > 15)
  for (const [module, imports] of arrows) {
    for (const imported of imports) t.ok(arrows.has(imported), `${module} imports ${imported}`)
  }
})

test('arrows point down only', async t => {
  for (const [module, imports] of readArrows()) {
    for (const imported of imports) {
      t.ok(MAY_IMPORT[partOf(module)]?.includes(partOf(imported)), `${module} may import ${imported}`)
    }
  }
})

test('no module imports itself, by whatever detour', async t => {
  t.equal(findCycle(readArrows())?.join(' -> '), undefined)
  t.same(
    findCycle(
      new Map([
        ['a', ['b']],
        ['b', ['c']],
        ['c', ['b']],
      ]),
    ),
    ['b', 'c', 'b'],
  )
})

test('every module of the layers below the domain is there', async t => {
  // `lock` is the one that nobody needed yet.
  for (const name of [...PURE, ...SYSTEM].filter(name => name !== 'lock')) {
    t.ok(existsSync(join(ROOT, 'lib', `${name}.ts`)), name)
  }
})
