import { test } from 'tap'

import { GROUPS, VERBS } from '../../bin/verbs.ts'
import { help } from '../../lib/base/description.ts'
import { Sandbox } from '../fixtures/sandbox.ts'

test('the help lists every verb in its group, each on one line of a terminal', async t => {
  const { code, stdout, stderr } = new Sandbox(t).run('bin/bass', ['--help'])
  t.equal(code, 0)
  t.equal(stderr, '')
  const lines = stdout.split('\n')
  for (const [title, verbs] of Object.entries(GROUPS)) {
    t.ok(lines.includes(`${title}:`), title)
    for (const [name, { about }] of Object.entries(verbs)) {
      t.ok(
        lines.some(line => line.startsWith(`  ${name} `) && line.endsWith(`  ${about}`)),
        name,
      )
    }
  }
  t.ok(
    lines.every(line => line.length <= 100),
    'it fits',
  )
})

test('no verb is in two groups', async t => {
  t.equal(VERBS.size, Object.values(GROUPS).flatMap(Object.keys).length)
})

const words = (text: string) => text.split(/\s+/)

test('every verb is found under its name, and its help fits one screen', async t => {
  for (const [name, { load }] of VERBS) {
    const { verb } = await load()
    t.equal(verb.description.name, `bass ${name}`)
    const lines = help(verb.description).split('\n')
    t.ok(lines.length <= 50, `${name}: ${lines.length} lines`)
    const longest = Math.max(...lines.map(line => line.length))
    t.ok(longest <= 110, `${name}: ${longest} columns`)
    for (const columns of [60, 80]) {
      const narrow = help(verb.description, columns)
      t.same(words(narrow), words(lines.join('\n')))
      // What is one word, such as the shape of JSON, is never broken.
      const long = narrow.split('\n').filter(line => line.length > columns && / /.test(line.trim()))
      t.same(long, [], `${name} in ${columns} columns`)
    }
  }
})

test('bass help is bass --help, bass help VERB is bass VERB --help', async t => {
  const sandbox = new Sandbox(t)
  t.equal(sandbox.ok('bin/bass', ['help']), sandbox.ok('bin/bass', ['--help']))
  const [name] = [...VERBS.keys()]
  if (name === undefined) return
  t.equal(sandbox.ok('bin/bass', ['help', name]), sandbox.ok('bin/bass', [name, '--help']))
  t.match(sandbox.ok('bin/bass', ['help', name]), `usage: bass ${name}`)
})

test('a verb that is not there ends with 100 and one sentence', async t => {
  const sandbox = new Sandbox(t)
  const far = sandbox.run('bin/bass', ['frobnicate'])
  t.equal(far.code, 100)
  t.equal(
    far.stderr,
    "bass: fatal: unable to run the verb 'frobnicate': no such verb; 'bass help' lists them\n",
  )
})

test('the version is that of package.json', async t => {
  t.match(new Sandbox(t).ok('bin/bass', ['--version']), /^bass \d+\.\d+\.\d+$/)
})
