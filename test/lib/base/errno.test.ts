import { readFileSync } from 'node:fs'
import { test } from 'tap'

import { errnoOf, ignoringENOENT, isErrno, reasonOf, tolerating } from '../../../lib/base/errno.ts'

/** An error as Node makes it of what the system says. */
const systemError = (errno: number, code: string) =>
  Object.assign(new Error(`${code}: whatever, open '/x'`), { errno, code, syscall: 'open', path: '/x' })

const missing = () => readFileSync('/nowhere/at/all')

/** What `action` throws. */
function caught(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return error
  }
  return undefined
}

test('fetch gives the reason that is behind its own words', async t => {
  const failure = await fetch('http://127.0.0.1:1/', { method: 'POST' }).catch((error: unknown) => error)
  t.match(failure, { message: /fetch failed|bad port/ })
  const behind = (cause: unknown) => reasonOf(Object.assign(new TypeError('fetch failed'), { cause }))
  t.equal(behind(systemError(-111, 'ECONNREFUSED')), 'connection refused')
  t.equal(behind(new AggregateError([systemError(-111, 'ECONNREFUSED')])), 'connection refused')
  t.equal(behind(new AggregateError([], 'nothing')), 'nothing')
  t.equal(behind(new Error('other side closed')), 'other side closed')
  t.equal(behind(undefined), 'fetch failed')
})

test('an error of the system has its name, and a reason without the path', async t => {
  const error = caught(missing)
  t.equal(errnoOf(error), 'ENOENT')
  t.ok(isErrno(error, 'EACCES', 'ENOENT'))
  t.notOk(isErrno(error, 'EACCES'))
  t.notOk(isErrno(error))
  t.equal(reasonOf(error), 'no such file or directory')
})

test('what Node has no name for has one here', async t => {
  const errors: [number, string, string][] = [
    [-35, 'EDEADLK', 'resource deadlock would occur'],
    [-116, 'ESTALE', 'stale file handle'],
    [-121, 'EREMOTEIO', 'remote I/O error'],
    [-122, 'EDQUOT', 'disk quota exceeded'],
  ]
  for (const [errno, name, reason] of errors) {
    const error = systemError(errno, `Unknown system error ${errno}`)
    t.equal(errnoOf(error), name)
    t.equal(reasonOf(error), reason)
  }
})

test('what is no error of the system has no name, and its message is the reason', async t => {
  for (const thing of [new Error('so'), 'so']) {
    t.equal(errnoOf(thing), undefined)
    t.notOk(isErrno(thing, 'ENOENT'))
    t.equal(reasonOf(thing), 'so')
  }
  t.equal(reasonOf(undefined), 'undefined')
  t.equal(errnoOf(Object.assign(new Error(), { code: 7 })), undefined)
})

test('an error of Node itself has its code for a name', async t => {
  const error = caught(() => readFileSync('a\0b'))
  t.equal(errnoOf(error), 'ERR_INVALID_ARG_VALUE')
})

test('a number that nobody knows leaves the message', async t => {
  t.equal(reasonOf(systemError(-9999, 'EWHAT')), "EWHAT: whatever, open '/x'")
})

test('only the named errors are tolerated', async t => {
  t.equal(
    tolerating(['ENOENT'], () => 7),
    7,
  )
  t.equal(tolerating(['EACCES', 'ENOENT'], missing), undefined)
  t.throws(() => tolerating(['EACCES'], missing), { code: 'ENOENT' })
  t.throws(() => tolerating([], missing), { code: 'ENOENT' })
  t.equal(ignoringENOENT(missing), undefined)
  t.throws(() =>
    ignoringENOENT(() => {
      throw systemError(-13, 'EACCES')
    }),
  )
})
