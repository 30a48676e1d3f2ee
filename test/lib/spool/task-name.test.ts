import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'tap'

import {
  isPart,
  isTarget,
  NAME_MAX,
  parseTaskName,
  roomForVersion,
  renumber,
  toPart,
} from '../../../lib/spool/task-name.ts'

const part = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+~@-]{0,30}$/)

test('whatever has valid parts is a name, and its parts are read back', async t => {
  const parts = fc.record({
    num: fc.nat(999_999_999),
    project: part,
    version: part,
    arch: part,
    host: fc.option(part, { nil: undefined }),
  })
  fc.assert(
    fc.property(parts, ({ num, project, version, arch, host }) => {
      const name = [num, project, version, arch, ...(host === undefined ? [] : [host])].join(':')
      const task = parseTaskName(name)!
      const wanted = { name, num, project, version, arch, ...(host === undefined ? {} : { host }) }
      assert.deepEqual(task, wanted)
      assert.equal(renumber(task.num, task), name)
    }),
  )
  t.pass()
})

test('reading a name never throws, and what it accepts has valid parts', async t => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[1a:.\n/-]*$/))
  fc.assert(
    fc.property(text, name => {
      const task = parseTaskName(name)
      return !task || [task.project, task.version, task.arch].every(isPart)
    }),
  )
  t.pass()
})

test('what is no name is not taken for one', async t => {
  const bad = ['', 'a', '1', '1:p:v', '01:p:v:a', '-1:p:v:a', ':p:v:a', '1::v:a', '1:p:v:a:', '1:p:v:a:h:x']
  for (const name of [
    ...bad,
    '1:.p:v:a',
    '1:p:v/w:a',
    '1:p:v:a\n',
    '1234567890123456:p:v:a',
    `1:p:v:${'a'.repeat(NAME_MAX)}`,
  ]) {
    t.equal(parseTaskName(name), undefined, name)
  }
})

test('any text becomes a part of a name', async t => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 200 }), (bytes, max) => {
      const made = toPart(Buffer.from(bytes), max)
      return isPart(made) && made.length <= max
    }),
  )
  t.equal(toPart('v1.2-3-gabc'), 'v1.2-3-gabc', 'what is valid stays as it is')
  t.equal(toPart('release/1.0 é'), 'release-1.0---', 'a byte becomes a dash')
  t.equal(toPart(Buffer.from('v\xff', 'latin1')), 'v-', 'also of what is not UTF-8')
  t.equal(toPart('x'.repeat(300) + '-3-gabc', 20), 'x'.repeat(13) + '-3-gabc', 'the end is kept')
})

test('a version as long as there is room for it makes a name that is valid with the largest number', async t => {
  for (const [project, target] of [
    ['p', 'a'],
    ['p'.repeat(60), 'a'.repeat(40) + ':' + 'h'.repeat(60)],
  ] as const) {
    const version = 'v'.repeat(roomForVersion(project, target))
    t.ok(parseTaskName(`${'9'.repeat(15)}:${project}:${version}:${target}`))
  }
})

test('a target is an architecture, or one and a host', async t => {
  for (const good of ['x86', 'linux-x86_64:host.example.org']) t.ok(isTarget(good), good)
  for (const bad of ['', ':', 'x86:', ':h', 'a:b:c', 'a b', '-a']) t.notOk(isTarget(bad), bad)
})
