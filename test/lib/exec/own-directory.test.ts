// Who removes the temporary directories of clients and executors, however they end.

import {
  chmodSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { launch } from '../../../lib/exec/launch.ts'
import { makeOwnDirectory } from '../../../lib/exec/own-directory.ts'
import { ROOT, Sandbox } from '../../fixtures/sandbox.ts'

test('what a killed executor left goes with the next one; one that ends leaves nothing', async t => {
  const sandbox = new Sandbox(t)
  const temporary = sandbox.path('temporary')
  mkdirSync(temporary)
  const env = { ...sandbox.env, TMPDIR: temporary }
  const executors = () => sandbox.ls('temporary').filter(name => name.startsWith('bass-executor-'))
  const command = [join(ROOT, 'slave/bin/executor'), 'stdio', 'no']
  const killed = await launch('run it', command, env)
  const [left] = executors()
  const owner = readFileSync(join(temporary, left!, 'owner'), 'utf8')
  process.kill((JSON.parse(owner) as { pid: number }).pid, 'SIGKILL')
  await killed.close()
  t.same(executors(), [left])

  const opened = await launch('run it', command, env)
  t.equal(executors().length, 1)
  t.not(executors()[0], left)
  writeFileSync(sandbox.path('f'), '')
  const wish = { command: ['sh', '-c', 'echo new > new'], directory: sandbox.dir, contentRoot: sandbox.dir }
  t.match((await opened.client.execute({ ...wish, wantArchive: true }).result).archive, temporary)
  await opened.close()
  t.same(executors(), [])
})

test('only what was ours, and whose maker is gone, is removed', t => {
  const sandbox = new Sandbox(t)
  process.env['TMPDIR'] = sandbox.dir
  t.teardown(() => delete process.env['TMPDIR'])
  const gone = JSON.stringify({ boot: 'another', namespace: 'x', pid: 1, start: '1' })
  const make = (name: string, owner?: string, mode = 0o700) => {
    const path = sandbox.path(name)
    mkdirSync(path, { mode })
    chmodSync(path, mode)
    if (owner !== undefined) writeFileSync(join(path, 'owner'), owner)
    return path
  }
  mkdirSync(sandbox.path('kept'))
  writeFileSync(sandbox.path('kept/owner'), gone)
  make('x-gone', gone)
  make('y-gone', gone)
  make('x-open', gone, 0o777)
  make('x-new')
  make('x-odd', '{"boot":')
  make('x-none', 'null')
  symlinkSync('kept', sandbox.path('x-link'))
  writeFileSync(sandbox.path('x-file'), '')
  utimesSync(make('x-old'), 0, 0)
  utimesSync(make('x-cut', '{"boot":'), 0, 0)
  const full = make('x-full')
  writeFileSync(join(full, 'file'), '')
  utimesSync(full, 0, 0)
  const kept = [
    'jobtmp',
    'kept',
    'x-file',
    'x-full',
    'x-link',
    'x-new',
    'x-none',
    'x-odd',
    'x-open',
    'y-gone',
  ]
  if (process.getuid?.() === 0) {
    lchownSync(make('x-theirs', gone), 12, 12)
    kept.push('x-theirs')
  }
  const own = [makeOwnDirectory('x-'), makeOwnDirectory('x-')]
  t.ok(own.every(existsSync))
  const others = sandbox.ls('.').filter(name => !own.some(path => path.endsWith(name)))
  t.same(others.sort(), kept.sort())
  t.end()
})
