import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'tap'

import { EXIT, Fatal } from '../../../lib/base/exit.ts'
import { failureOf, run, runSync, start, tryRunSync } from '../../../lib/system/run.ts'
import { ROOT } from '../../fixtures/sandbox.ts'

const fatal = (attempt: () => unknown): Fatal => {
  try {
    attempt()
  } catch (error) {
    if (error instanceof Fatal) return error
  }
  throw new Error('no Fatal')
}

test('how a program ended, and what it said', async t => {
  const command = ['sh', '-c', 'cat; echo what >&2; echo why >&2; exit 3']
  const ended = runSync(command, { input: 'ä' })
  t.same(ended, { code: 3, signal: null, stdout: 'ä', stderr: 'what\nwhy\n' })
  t.equal(failureOf(ended), 'why')
  t.same(await run(['sh', '-c', 'echo out; exit 3']), { code: 3, signal: null, stdout: 'out\n', stderr: '' })
  t.same(runSync(['printf', '\\344'], { encoding: 'latin1' }).stdout, 'ä')
  t.same(runSync(['cat'], { encoding: 'latin1', input: 'ä' }).stdout, 'ä')
})

test('exit 137 is not SIGKILL', async t => {
  for (const ended of [runSync(['sh', '-c', 'exit 137']), await run(['sh', '-c', 'exit 137'])]) {
    t.match(ended, { code: 137, signal: null })
    t.equal(failureOf(ended), 'it ended with exit code 137')
  }
  for (const ended of [runSync(['sh', '-c', 'kill -9 $$']), await run(['sh', '-c', 'kill -9 $$'])]) {
    t.match(ended, { code: null, signal: 'SIGKILL' })
    t.equal(failureOf(ended), 'it was ended by SIGKILL')
  }
})

test('a program that is not there is a lasting error', async t => {
  t.match(
    fatal(() => runSync(['nosuch'])),
    {
      exitCode: EXIT.lasting,
      // The latter where a directory of PATH is closed to us.
      message: /^unable to run 'nosuch': (?:no such file or directory|permission denied)$/,
    },
  )
  t.match(await run(['nosuch']).catch((error: unknown) => error), { exitCode: EXIT.lasting })
  t.equal(tryRunSync(['nosuch']), undefined)
  const child = start(['nosuch'], { stdio: ['pipe', 'pipe', 'pipe'] })
  const [error] = (await once(child, 'error')) as [NodeJS.ErrnoException]
  t.match(error.code, /^(?:ENOENT|EACCES)$/)
})

// Where a program has no descriptor left, Node makes a child without streams, whose users would fall over them.
const FULL = `
  const { run, runSync, start } = require(process.argv[1])
  const { openSync, closeSync } = require('node:fs')
  const open = []
  try { for (;;) open.push(openSync('/dev/null')) } catch { closeSync(open.pop()) }
  const child = start(['true'], { stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.end('something')
  let read = ''
  child.stdout.on('data', data => (read += data)).on('end', () => say('read', read))
  const said = []
  const say = (...words) => said.push(words.join(' '))
  child.on('error', error => say('start', error.code))
  child.on('close', () => say('closed'))
  try { runSync(['true']) } catch (error) { say('runSync', error.exitCode, error.message) }
  run(['true']).catch(error => say('run', error.exitCode)).then(() => {
    for (const fd of open) closeSync(fd)
    setTimeout(() => console.log(said.sort().join('\\n')), 50)
  })
`

test('a system without room for a process is a passing one, and hurts nobody', async t => {
  const module = join(ROOT, 'dist/lib/system/run.js')
  const script = 'ulimit -n 60; exec "$0" -e "$1" "$2"'
  const said = execFileSync('sh', ['-c', script, process.execPath, FULL, module], { encoding: 'utf8' })
  t.equal(
    said,
    `closed\nread \nrun 111\nrunSync 111 unable to run 'true': too many open files\nstart EMFILE\n`,
  )
})

test('a program writes to the descriptor that it is given, and ends with its signal', async t => {
  const fd = openSync('/dev/null', 'w')
  const stop = new AbortController()
  const child = start(['sleep', '60'], { stdio: ['ignore', fd, 'ignore'], signal: stop.signal })
  closeSync(fd)
  t.equal(child.stdout, null)
  const closed = new Promise(done => child.on('close', (code, signal) => done([code, signal])))
  child.on('error', () => undefined)
  stop.abort()
  t.same(await closed, [null, 'SIGTERM'])
})
