import fc from 'fast-check'
import { test } from 'tap'

import { badTestfile, checksOf, directoriesOf, testfileIn } from '../../../lib/testfile/choose.ts'

const TABLE: readonly [files: string[], directories: string[]][] = [
  [[], []],
  [['README'], ['']],
  [['sdk/go/account.go'], ['sdk/go', 'sdk', '']],
  [
    ['b/x', 'a/y', 'a/b/c/z'],
    ['a/b/c', 'a/b', 'a', 'b', ''],
  ],
  // Both names of a rename.
  [
    ['old/place/x', 'new/x'],
    ['old/place', 'new', 'old', ''],
  ],
  [['a b/ü\n/x'], ['a b/ü\n', 'a b', '']],
]

for (const [files, directories] of TABLE) {
  test(`${JSON.stringify(files)} concern ${JSON.stringify(directories)}`, async t => {
    t.same(directoriesOf(files), directories)
  })
}

test('directories are those of the files and their parents, each once, no parent before its child', async t => {
  const part = fc.stringMatching(/^[a-c]{1,2}$/)
  const file = fc.array(part, { minLength: 1, maxLength: 6 }).map(parts => parts.join('/'))
  fc.assert(
    fc.property(fc.array(file), files => {
      const found = directoriesOf(files)
      const expected = new Set(
        files.flatMap(file => {
          const parts = file.split('/').slice(0, -1)
          return ['', ...parts.map((_, i) => parts.slice(0, i + 1).join('/'))]
        }),
      )
      const isInOrder = found.every((directory, i) =>
        found.slice(0, i).every(before => before !== '' && !directory.startsWith(before + '/')),
      )
      return found.length === expected.size && found.every(one => expected.has(one)) && isInOrder
    }),
  )
  t.pass()
})

test('where the Testfile of a directory is', async t => {
  t.equal(testfileIn(''), 'Testfile')
  t.equal(testfileIn('sdk/go'), 'sdk/go/Testfile')
})

test('a Testfile that cannot be read is one check, and does not stop the others', async t => {
  const texts: [string, string][] = [
    ['sdk', 'unit: go test\nlint: go vet\n'],
    ['web', '# ok\nno colon\na: b\na: c\n'],
    ['', 'all: make'],
  ]
  t.same(checksOf(texts), [
    { name: 'sdk unit', directory: 'sdk', command: 'go test' },
    { name: 'sdk lint', directory: 'sdk', command: 'go vet' },
    {
      name: 'web Testfile',
      directory: 'web',
      error:
        "web/Testfile:2: it is not 'NAME: COMMAND'\nweb/Testfile:4: the name a is that of line 3 as well",
    },
    { name: 'all', directory: '', command: 'make' },
  ])
})

test('a Testfile that is no file is one check as well', async t => {
  const check = { name: 'sdk Testfile', directory: 'sdk', error: 'it is a link' }
  t.same(badTestfile('sdk', 'it is a link'), check)
})
