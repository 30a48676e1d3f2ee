// What anybody who reaches the server may send it, before it knows who that is.

import { request as httpRequest } from 'node:http'
import { test } from 'tap'

import { serveGit } from '../../../bin/demo/git-http.ts'
import { JciForge, push } from '../../fixtures/jci-forge.ts'
import { Played } from '../../fixtures/jci-played.ts'
import { eventually, Sandbox } from '../../fixtures/sandbox.ts'

const MiB = 1 << 20
const sleep = (ms: number) => new Promise<void>(done => setTimeout(done, ms))

/** A POST whose body is written by the caller; `end` is the status of the answer, or 0 if the connection was cut off. */
function sending(url: string, path: string, headers: Record<string, string | number> = {}) {
  const request = httpRequest(url, { method: 'POST', path, headers })
  const end = new Promise<number>(done => {
    request.on('response', answer => {
      answer.resume()
      done(answer.statusCode!)
    })
    request.on('error', () => done(0))
    request.on('close', () => done(0))
  })
  return { request, end }
}

test('many large bodies at once do not fill the memory', async t => {
  const sandbox = new Sandbox(t)
  const forge = await JciForge.open(t, sandbox)
  const commit = forge.repository('hello', 'true')
  const { url } = await forge.serve()
  const chunk = Buffer.alloc(24 * MiB, ' ')
  const senders = Array.from({ length: 12 }, () => sending(url, '/webhook', { 'Content-Length': 25 * MiB }))
  const ends: number[] = []
  for (const { request, end } of senders) {
    void end.then(status => ends.push(status))
    request.write(chunk)
  }
  await eventually('some are refused', () => ends.length > 0)
  t.ok(
    ends.every(status => status === 503 || status === 0),
    String(ends),
  )
  for (const { request } of senders) request.destroy()
  const { body, headers } = push('hello', commit)
  let status = 0
  for (const end = Date.now() + 20_000; status !== 200 && Date.now() < end;) {
    await sleep(100)
    status = (await fetch(`${url}/webhook`, { method: 'POST', body, headers })).status
  }
  t.equal(status, 200, 'the memory is free')
})

test('a body that drips is cut off; a push of a job may take as long as it moves', async t => {
  const played = await Played.open(t)
  const { forge, url } = played
  const slow = sending(url, '/webhook', { 'Content-Length': 1000 })
  const timer = setInterval(() => slow.request.write(' '), 100)
  t.teardown(() => clearInterval(timer))
  const commit = forge.repository('hello', 'true')
  await played.push('hello', commit)
  const job = await played.got('r1')
  const stop = played.keep('r1', job)
  let taken = 0
  forge.instead = (request, response) => {
    if (!request.url!.endsWith('/git-receive-pack')) return false
    request.on('data', (bytes: Buffer) => (taken += bytes.length)).on('end', () => response.end())
    return true
  }
  const { username, password, pathname } = new URL(job.clone_url)
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  const { request, end } = sending(url, `${pathname}/git-receive-pack`, { authorization })
  const command = `${'0'.repeat(40)} ${'b'.repeat(40)} refs/jci-runs/${commit}/1700000000-aaaa\0report-status`
  const head = `${(command.length + 4).toString(16).padStart(4, '0')}${command}0000`
  request.write(head)
  for (let i = 0; i < 10; i++) {
    await sleep(500)
    request.write('PACK')
  }
  request.end()
  t.equal(await end, 200)
  t.equal(taken, head.length + 40)
  t.equal(await slow.end, 408, 'the one that dripped meanwhile')
  stop()
})

test('addresses that lead upwards are none', async t => {
  const { url } = await Played.open(t)
  const answerTo = (path: string) => {
    const { request, end } = sending(url, path)
    request.end()
    return end
  }
  for (const path of ['/../x.git/info/refs', '/./x.git/git-upload-pack', '//x.git/info/refs'])
    t.equal(await answerTo(path), 404, path)
  t.equal(await answerTo('/o/..git/info/refs'), 401, 'one that leads nowhere')
})

test('a status of many bytes stays on the forge', async t => {
  const played = await Played.open(t)
  const { forge, sandbox } = played
  // One that lets anybody fetch.
  forge.instead = (request, response) => {
    serveGit(sandbox.path('forge'), request, response, 'ci')
    return true
  }
  const commit = forge.repository('large', 'true')
  await played.push('large', commit)
  await played.got('r1', [])
  sandbox.ok('sh', ['-ec', 'head -c 20000000 /dev/urandom >status.txt; git add -A; git commit -qm large'], {
    cwd: 'work/o/large',
  })
  const ref = `refs/jci-runs/${commit}/${Math.floor(Date.now() / 1000)}-0000`
  sandbox.git(sandbox.path('work/o/large'), 'push', '-q', sandbox.path('forge/o/large.git'), `HEAD:${ref}`)
  const results = () => sandbox.ls('db/results').length
  await eventually('it was looked at', () => results() > 0, 60)
  await sleep(3000)
  const kilobytes = Number(sandbox.ok('du', ['-sk', sandbox.path('db/results')]).split('\t')[0])
  t.ok(kilobytes < 2000, `${kilobytes} kB`)
})
