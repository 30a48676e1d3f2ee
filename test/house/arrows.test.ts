// Which part of the house may know which: arrows point down only, and there is no cycle.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'tap'
import ts from 'typescript'

import { ROOT } from '../fixtures/sandbox.ts'

/** The rooms that each room may import, itself included; a room is a directory. The plan is in lib/INTERNALS.md. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  'lib/base': [],
  'lib/system': ['lib/base'],
  'lib/git': ['lib/base', 'lib/system'],
  'lib/bundle': ['lib/base', 'lib/system', 'lib/git'],
  'lib/testfile': ['lib/base'],
  'lib/spool': ['lib/base', 'lib/system'],
  'lib/conf': ['lib/base', 'lib/system', 'lib/spool'],
  'lib/forge': ['lib/base', 'lib/system', 'lib/git'],
  'lib/container': ['lib/base', 'lib/system'],
  'lib/exec': ['lib/base', 'lib/system', 'lib/bundle', 'lib/container'],
  'lib/view': ['lib/base', 'lib/system', 'lib/git', 'lib/spool'],
  'lib/web': ['lib/base'],
  'lib/jci': ['lib/base', 'lib/git', 'lib/web'],
  'master/make': ['lib/base', 'lib/system', 'lib/git', 'lib/bundle', 'lib/spool', 'lib/conf', 'lib/testfile'],
  'master/reap': ['lib/base', 'lib/system', 'lib/spool'],
  'master/notify': [
    'lib/base',
    'lib/system',
    'lib/git',
    'lib/spool',
    'lib/conf',
    'lib/view',
    'lib/jci',
    'lib/forge',
    'lib/testfile',
  ],
  'master/web/log': ['lib/base', 'lib/system', 'lib/view', 'lib/web', 'master/web/site'],
  'master/web/site': ['lib/base', 'lib/system', 'lib/git', 'lib/forge', 'lib/spool', 'lib/view'],
  'master/web/pages': ['lib/**', 'master/web/log', 'master/web/site'],
  'master/web/routes': ['lib/**', 'master/web/**'],
  'master/web': ['lib/**', 'master/web/**'],
  'master/receive': ['lib/base', 'lib/system', 'lib/spool', 'lib/conf', 'lib/forge'],
  'master/fetch': [
    'lib/base',
    'lib/system',
    'lib/git',
    'lib/spool',
    'lib/conf',
    'lib/forge',
    'lib/view',
    'master/receive',
  ],
  'slave/run': ['lib/base', 'lib/system', 'lib/bundle', 'lib/spool', 'lib/view', 'slave/run/places'],
  'lib/farm': ['lib/base', 'lib/spool', 'lib/view'],
  'master/farm': ['lib/**', 'master/web/**', 'master/make'],
  'slave/sources': [
    'lib/base',
    'lib/system',
    'lib/git',
    'lib/testfile',
    'lib/farm',
    'lib/spool',
    'lib/view',
    'slave/run/**',
  ],
  'bin/setup': ['lib/base', 'lib/system', 'lib/git', 'lib/spool', 'lib/conf', 'lib/forge', 'master/notify'],
  'bin/demo': ['lib/**', 'bin/setup', 'bin/parts'],
  'bin/doctor': [
    'lib/base',
    'lib/system',
    'lib/git',
    'lib/forge',
    'lib/spool',
    'lib/conf',
    'lib/view',
    'lib/container',
    'lib/exec',
    'slave/run/places',
    'master/notify',
    'master/receive',
    'master/fetch',
    'bin/parts',
    'bin/setup',
  ],
  'slave/run/places': ['lib/base', 'lib/system', 'lib/bundle', 'lib/spool', 'lib/container', 'lib/exec'],
  'slave/execute': ['lib/base', 'lib/system', 'lib/bundle', 'lib/spool', 'lib/exec', 'slave/run/places'],
  'bin/parts': [
    'lib/base',
    'lib/system',
    'lib/git',
    'lib/bundle',
    'lib/spool',
    'lib/conf',
    'lib/exec',
    'lib/container',
    'lib/view',
    'slave/run/**',
    'lib/testfile',
  ],
  'bin/parts/complete': ['lib/base'],
  'bin/views': ['lib/**', 'bin/parts'],
  'bin/jci': ['lib/**', 'bin/jci/**'],
  'bin/jci/parts': ['lib/**', 'bin/parts', 'bin/jci/runs', 'bin/jci/share', 'slave/run/**'],
  'bin/jci/runs': ['lib/**'],
  'bin/jci/web': ['lib/**', 'bin/jci/runs'],
  'bin/jci/cron': ['lib/**'],
  'bin/jci/share': ['lib/**', 'bin/jci', 'bin/jci/parts', 'bin/jci/runs'],
  'bin/jci/server': ['lib/**', 'bin/jci/parts', 'bin/jci/runs'],
  'bin/jci/runner': ['lib/**', 'bin/jci/parts', 'bin/jci/share'],
  master: ['lib/**', 'master/**'],
  slave: ['lib/**', 'slave/**'],
  bin: ['lib/**', 'bin/**', 'slave/run/**'],
}

/** The rooms, and single modules, that may call rename and link: whatever others rely on changes through them. */
const MAY_RENAME = [
  'lib/system',
  'lib/spool',
  // Doctor tries what the file system does; an archive and a window change a private directory.
  'bin/doctor/spool',
  'lib/bundle/bundle',
  'lib/exec/bring-back',
  'slave/run/tmux-window',
  // A ref that is not UTF-8 becomes one.
  'master/make/byte-names',
  // A file that is put in the store, and a layout for the pages, appear at once.
  'master/farm/blobs',
  'master/farm/lay-out',
  'master/farm/showcase',
  'master/farm/held',
]

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

const roomOf = (module: string): string => dirname(module)

const covers = (pattern: string, room: string): boolean =>
  pattern.endsWith('/**') ? `${room}/`.startsWith(pattern.slice(0, -2)) : room === pattern

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

test('each room imports only rooms below it', async t => {
  for (const [module, imports] of readArrows()) {
    const may = MAY_IMPORT[roomOf(module)]
    if (!may) {
      t.fail(`${roomOf(module)} has no row in this table`)
      continue
    }
    for (const room of new Set(imports.map(roomOf))) {
      if (room !== roomOf(module))
        t.ok(
          may.some(pattern => covers(pattern, room)),
          `${module} may import ${room}`,
        )
    }
  }
})

test('every room of the table is there, and in the plan', async t => {
  for (const room of Object.keys(MAY_IMPORT)) t.ok(existsSync(join(ROOT, room)), room)
  const plan = readFileSync(join(ROOT, 'lib/INTERNALS.md'), 'utf8')
  for (const room of Object.keys(MAY_IMPORT))
    t.ok(plan.includes(`\`${room}\``), `${room} is in the plan of rooms`)
})

test('a file of lib serves at least two of bin, master and slave', async t => {
  const arrows = readArrows()
  const users = new Map<string, Set<string>>()
  for (const [module, imports] of arrows) {
    const side = module.split('/')[0]!
    if (side === 'lib') continue
    const reached = new Set<string>()
    const reach = (next: string): void => {
      if (!next.startsWith('lib/') || reached.has(next)) return
      reached.add(next)
      users.set(next, (users.get(next) ?? new Set()).add(side))
      for (const below of arrows.get(next) ?? []) reach(below)
    }
    for (const next of imports) reach(next)
  }
  const lonely = [...arrows.keys()].filter(
    module => module.startsWith('lib/') && (users.get(module)?.size ?? 0) < 2,
  )
  t.same(lonely, [])
  t.ok(users.size > 80)
})

test('names that others rely on change in the protocol alone', async t => {
  for (const module of readArrows().keys()) {
    const source = readFileSync(join(ROOT, `${module}.ts`), 'utf8')
    const imported = /import \{([^}]*)\} from 'node:fs(?:\/promises)?'/.exec(source)?.[1] ?? ''
    if (imported.split(',').some(name => /^(?:rename|link)(?:Sync)?$/.test(name.trim()))) {
      t.ok(
        [roomOf(module), module].some(place => MAY_RENAME.includes(place)),
        `${module} may rename and link`,
      )
    }
  }
})

/** What each verb exports, and what is told of it. */
const OF_EACH = ['verb', 'description']

test('a name that is exported means one thing', async t => {
  const places = new Map<string, string[]>()
  for (const module of readArrows().keys()) {
    const text = readFileSync(join(ROOT, `${module}.ts`), 'utf8')
    const found = text.matchAll(/^export (?:async )?(?:function|class|interface|type|const) (\w+)/gm)
    // An overload has the name of its function.
    for (const name of new Set([...found].map(match => match[1]!)))
      places.set(name, [...(places.get(name) ?? []), module])
  }
  t.ok(places.size > 500)
  const twice = [...places].filter(([name, modules]) => modules.length > 1 && !OF_EACH.includes(name))
  t.same(Object.fromEntries(twice), {})
})

test('one module starts other programs', async t => {
  const others = [...readArrows().keys()].filter(module => {
    const source = readFileSync(join(ROOT, `${module}.ts`), 'utf8').replace(/^import type .*$/gm, '')
    return source.includes('child_process')
  })
  t.same(others, ['lib/system/run'])
})

test('one function makes directories with those above them', async t => {
  const others = [...readArrows().keys()].filter(module =>
    /mkdir(?:Sync)?\([^\n]*recursive: true/.test(readFileSync(join(ROOT, `${module}.ts`), 'utf8')),
  )
  // Its names are bytes, in a directory that it has just made.
  t.same(others, ['bin/parts/working-tree'])
})

/** Names of files in tasks and jobs that mean nothing else. */
const LAYOUT =
  /^(?:owner|result|retried-as|retry-of|tmp-path|exitcode|stdout|stderr|code-revision|label|pkg|env)\.txt$/

test('the names of files in a task and a job are in lib/spool/job-files alone', async t => {
  const found: string[] = []
  // Runs of git jci, and the stage of a demo, are laid out otherwise.
  const elsewhere = /^(?:lib\/spool\/job-files|bin\/jci\/.*|bin\/demo\/.*|lib\/jci\/.*)$/
  for (const module of readArrows().keys()) {
    if (elsewhere.test(module)) continue
    const source = ts.createSourceFile(
      module,
      readFileSync(join(ROOT, `${module}.ts`), 'utf8'),
      ts.ScriptTarget.Latest,
    )
    const visit = (node: ts.Node): void => {
      if (ts.isStringLiteral(node) && LAYOUT.test(node.text)) found.push(`${module}: ${node.text}`)
      ts.forEachChild(node, visit)
    }
    visit(source)
  }
  t.same(found, [])
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
