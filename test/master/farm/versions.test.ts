// A worker and a farmer of different versions.

import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'tap'

import { Farm } from '../../fixtures/farm.ts'
import { eventually, ROOT } from '../../fixtures/sandbox.ts'

const { version: OURS } = JSON.parse(readFileSync(`${ROOT}/package.json`, 'utf8')) as { version: string }

test('a worker of an older version works for a farmer, and both say what they are', async t => {
  const farm = await Farm.make(t)
  // The programs themselves, with another version.
  farm.ok('mkdir', ['-p', 'old/dist'])
  for (const part of ['dist/lib', 'dist/slave', 'lib', 'slave'])
    farm.ok('cp', ['-r', `${ROOT}/${part}`, `old/${part}`])
  farm.ok('ln', ['-s', `${ROOT}/node_modules`, 'old/node_modules'])
  writeFileSync(farm.path('old/package.json'), JSON.stringify({ version: '0.0.1' }))
  const farmer = await farm.farmer()
  farm.ok('mkdir', ['worker'])
  const env = { FARMER_URL: farmer.url, BASS_ROOT: farm.path('old') }
  const worker = farm.start(farm.path('old/slave/bin/worker'), [], { cwd: 'worker', env })
  await farm.push(farmer.url, farm.commit({ Testfile: 'one: true\n' }))
  t.same(await farm.verdicts(1), { one: 'success' })
  t.match(worker.stderr(), `is of version ${OURS}, this worker of 0.0.1\n`)
  t.match(
    farmer.stderr(),
    `farmer: info: the worker on testhost is of version 0.0.1, this farmer of ${OURS}\n`,
  )
  // The pages are behind what happens, by a second at most.
  await eventually('its version on the page of hosts', async () =>
    (await (await fetch(`${farmer.url}/hosts`)).text()).includes('0.0.1'),
  )

  // One that is too new asks what we do not know.
  for (const path of ['/v1/news', '/v2/workers']) {
    const answer = await farm.ask(farmer.url, 'POST', path, {})
    const error = `a farmer of version ${OURS} does not know ${path}: worker and farmer are too far apart`
    t.same([answer.status, await answer.json()], [404, { error }])
  }
})

test('a worker says that a farmer is of another age, and goes on asking', async t => {
  const farm = await Farm.make(t)
  let asked = 0
  const server = createServer((_, answer) => {
    asked++
    answer.writeHead(404, { 'Content-Type': 'text/html' }).end('<html>no such page</html>')
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => server.close())
  const worker = farm.worker(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  await eventually('three questions', () => asked >= 3, 30)
  t.match(
    worker.stderr(),
    /unable to ask the farmer for 'POST \/v1\/workers': 404: there is no farmer there, or one that this worker is too old or too new for\n$/,
  )
  t.equal(worker.child.exitCode, null)
})
