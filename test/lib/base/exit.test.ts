import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { test } from 'tap'

import { EXIT, Fatal, lasting, notStarted, quote, temporary } from '../../../lib/base/exit.ts'

test('the exit codes are those that supervisors and scripts know', async t => {
  t.strictSame(EXIT, { done: 0, timeout: 99, lasting: 100, temporary: 111 })
})

test('a fatal error says what was attempted and why it failed', async t => {
  const error = lasting("read 'x'", 'it is not there')
  t.type(error, Fatal)
  t.equal(error.message, "unable to read 'x': it is not there")
  t.equal(error.exitCode, 100)
  t.equal(temporary("read 'x'", 'the disk is full').exitCode, 111)
})

test('the reason may be an error that was met, which is kept', async t => {
  try {
    readFileSync('/nowhere/at/all')
  } catch (met) {
    const error = temporary("read 'x'", met)
    t.equal(error.message, "unable to read 'x': no such file or directory")
    t.equal(error.cause, met)
  }
})

test('a fatal error that is the reason for another decides how the program ends', async t => {
  const error = temporary('make a task', lasting("read 'x'", 'it is a directory'))
  t.equal(error.message, "unable to make a task: unable to read 'x': it is a directory")
  t.equal(error.exitCode, 100)
})

test('a name is quoted without what could drive a terminal', async t => {
  t.equal(quote('a b'), "'a b'")
  t.equal(quote('é€😀'), "'é€😀'")
  t.equal(quote('\x1b[2J\n\x7f\u009b'), "'\\x1b[2J\\x0a\\x7f\\x9b'")
})

test('whatever the reason, the message is one line', async t => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), text => {
      const line = lasting(`read ${quote(text)}`, text).message + temporary('go', new Error(text)).message
      return !/\p{Cc}/u.test(line)
    }),
  )
  t.pass()
})

test('a program that is not there is a lasting error, a system that cannot make a process a temporary one', async t => {
  const met = (code: string) => Object.assign(new Error(code), { code, syscall: 'spawn git' })
  for (const code of ['ENOENT', 'EACCES', 'ENOTDIR'])
    t.equal(notStarted('git', met(code)).exitCode, 100, code)
  for (const code of ['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'EIO'])
    t.equal(notStarted('git', met(code)).exitCode, 111, code)
  t.equal(notStarted('git', met('EAGAIN')).message, "unable to run 'git': EAGAIN")
  const full = temporary(
    "use the repository '/r.git'",
    notStarted('git', Object.assign(met('ENOMEM'), { errno: -12 })),
  )
  t.equal(
    full.message,
    "unable to use the repository '/r.git': unable to run 'git': not enough memory",
    'what had none, and where',
  )
  t.equal(full.exitCode, 111)
})
