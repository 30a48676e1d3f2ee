// Secrets are compared in one place, in constant time: no other file uses `timingSafeEqual`, and none compares with an
// operator what is called a secret.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import ts from 'typescript'

import { ROOT } from '../fixtures/sandbox.ts'

const ONLY = 'lib/base/same.ts'
const SECRET = /(?:secret|signature|password|hmac|token|sig|^sign)$/i
/** Where a token is a name that nobody else has, and no secret: who has claimed a task. */
const NAMES = new Set(['lib/spool/claim.ts', 'master/reap/rounds.ts', 'slave/sources/slot.ts'])
const OPERATORS = new Set([
  ts.SyntaxKind.EqualsEqualsToken,
  ts.SyntaxKind.EqualsEqualsEqualsToken,
  ts.SyntaxKind.ExclamationEqualsToken,
  ts.SyntaxKind.ExclamationEqualsEqualsToken,
])

/** What an expression is called; undefined if it has no name. */
function nameOf(node: ts.Expression): string | undefined {
  if (ts.isIdentifier(node)) return node.text
  if (ts.isPropertyAccessExpression(node)) return node.name.text
  if (ts.isCallExpression(node)) return nameOf(node.expression)
  if (ts.isNonNullExpression(node) || ts.isParenthesizedExpression(node)) return nameOf(node.expression)
  return undefined
}

/** True for what says whether there is a secret, or of which kind something is. */
const isWord = (node: ts.Expression): boolean =>
  ts.isLiteralExpression(node) ||
  node.kind === ts.SyntaxKind.NullKeyword ||
  node.kind === ts.SyntaxKind.TrueKeyword ||
  node.kind === ts.SyntaxKind.FalseKeyword ||
  (ts.isIdentifier(node) && node.text === 'undefined')

/** The comparisons of secrets in a program, as its text has them. */
function comparisons(text: string): string[] {
  const found: string[] = []
  const source = ts.createSourceFile('x.ts', text, ts.ScriptTarget.Latest, true)
  const visit = (node: ts.Node): void => {
    if (ts.isBinaryExpression(node) && OPERATORS.has(node.operatorToken.kind)) {
      const sides = [node.left, node.right]
      if (sides.some(side => SECRET.test(nameOf(side) ?? '')) && !sides.some(isWord))
        found.push(node.getText(source))
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

test('secrets are compared in constant time', t => {
  const files = ['lib', 'master', 'slave', 'bin'].flatMap(top =>
    readdirSync(join(ROOT, top), { recursive: true, encoding: 'utf8' })
      .filter(file => file.endsWith('.ts'))
      .map(file => join(top, file)),
  )
  const texts = new Map(files.map(file => [file, readFileSync(join(ROOT, file), 'utf8')]))
  t.same(
    files.filter(file => texts.get(file)!.includes('timingSafeEqual')),
    [ONLY],
  )
  t.same(
    files
      .filter(file => !NAMES.has(file))
      .flatMap(file => comparisons(texts.get(file)!).map(one => `${file}: ${one}`)),
    [],
  )
  t.end()
})

test('it sees them', t => {
  const bad = [
    'given !== secret',
    'settings.runnerSecret == body.secret',
    'sign(text) === given',
    'a.token !== b',
  ]
  t.same(comparisons(bad.map(one => `if (${one}) f()`).join('\n')), bad)
  t.same(comparisons("if (token === undefined || secret !== '' || kind === 'token') f()"), [])
  t.end()
})
