// A file is one idea and a function is one screen: no source is longer than what can be taken in at once.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import ts from 'typescript'

import { ROOT } from '../fixtures/sandbox.ts'

const FILE_MAX = 300
const FUNCTION_MAX = 60

const SOURCES = ['bin', 'lib', 'master', 'slave'].flatMap(directory =>
  readdirSync(join(ROOT, directory), { encoding: 'utf8', recursive: true })
    .filter(name => name.endsWith('.ts'))
    .map(name => `${directory}/${name}`),
)

/** Each function of a source that is longer than `max` lines, as `FILE:LINE has N lines`. */
function longFunctions(name: string, text: string, max: number): string[] {
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest)
  const lineAt = (place: number) => source.getLineAndCharacterOfPosition(place).line + 1
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body) {
      const [first, last] = [lineAt(node.getStart(source)), lineAt(node.end)]
      const lines = last - first + 1
      if (lines > max) found.push(`${name}:${first} has ${lines} lines`)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

test(`no source has ${FILE_MAX} lines, and no function more than ${FUNCTION_MAX}`, t => {
  const tooLong = SOURCES.flatMap(name => {
    const text = readFileSync(join(ROOT, name), 'utf8')
    const lines = text.split('\n').length - 1
    return [
      ...(lines < FILE_MAX ? [] : [`${name} has ${lines} lines`]),
      ...longFunctions(name, text, FUNCTION_MAX),
    ]
  })
  t.same(tooLong, [])
  t.ok(SOURCES.length > 200)
  t.end()
})

test('functions are counted however they are written', t => {
  const text = [
    'const a = () => {',
    'f()',
    '}',
    'class A { m() {',
    '} }',
    'function b() { return () => {',
    '} }',
  ]
  t.same(longFunctions('x.ts', text.join('\n'), 1), [
    'x.ts:1 has 3 lines',
    'x.ts:4 has 2 lines',
    'x.ts:6 has 2 lines',
    'x.ts:6 has 2 lines',
  ])
  t.same(longFunctions('x.ts', text.join('\n'), 3), [])
  t.end()
})
