import { statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { makeDirectories } from '../../../lib/system/directories.ts'
import { makeDirectory } from '../../../lib/spool/spool.ts'

test('what is missing is made, and the first of it returned', t => {
  const top = t.testdir()
  t.equal(makeDirectories(join(top, 'a/b/c')), join(top, 'a'))
  t.equal(makeDirectories(join(top, 'a/b/c')), undefined)
  t.equal(makeDirectories(join(top, 'a/b/d/')), join(top, 'a/b/d/'))
  t.equal(makeDirectories('/'), undefined)
  makeDirectories(join(top, 'closed/more'), 0o700)
  t.equal(statSync(join(top, 'closed')).mode & 0o777, 0o700)
  symlinkSync('a', join(top, 'link'))
  t.equal(makeDirectories(join(top, 'link')), undefined, 'a link to a directory is one')
  t.end()
})

test('what stands in the way is said', t => {
  const top = t.testdir({ file: '' })
  t.throws(() => makeDirectories(join(top, 'file')), { code: 'EEXIST' })
  t.throws(() => makeDirectories(join(top, 'file/below')), { code: 'ENOTDIR' })
  symlinkSync('nowhere', join(top, 'dangling'))
  t.throws(() => makeDirectories(join(top, 'dangling')), { code: 'EEXIST' })
  t.throws(() => makeDirectories(join(top, 'dangling/below')), { code: 'EEXIST' })
  t.throws(() => makeDirectories('/proc/bass'), { code: 'ENOENT' }, 'the kernel makes none there')
  t.throws(() => makeDirectories('/proc/bass/a/b'), { code: 'ENOENT' })
  t.throws(() => makeDirectory('/proc/bass/a/b'), { code: 'ENOENT' }, 'nor for a spool')
  t.end()
})
