// The git door: packs of any size go through it in flat memory, both ways, and it lets through nothing but a job's own.

import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { test } from 'tap'
import type { Test } from 'tap'

import { JciForge, push, RUNNER_SECRET } from '../../fixtures/jci-forge.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

const MiB = 1 << 20
const GiB = 1 << 30
/** What a pack may add to the memory of the server, in bytes. */
const FLAT = 96 * MiB

/** A server with one job that was given to a runner. */
async function given(t: Test) {
  const sandbox = new Sandbox(t)
  const forge = await JciForge.open(t, sandbox)
  const commit = forge.repository('hello', 'true')
  const { url, running } = await forge.serve()
  const { body, headers } = push('hello', commit)
  await fetch(`${url}/webhook`, { method: 'POST', body, headers })
  const poll = JSON.stringify({ runner_id: 'r', secret: RUNNER_SECRET })
  const answer = await fetch(`${url}/poll`, { method: 'POST', body: poll })
  const { job } = (await answer.json()) as { job: { clone_url: string } }
  const memory = (field: 'VmHWM' | 'VmRSS') =>
    Number(
      new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(
        readFileSync(`/proc/${running.pid}/status`, 'utf8'),
      )![1],
    ) * 1024
  return { sandbox, forge, commit, cloneUrl: job.clone_url, memory }
}

function* bytes(size: number): Generator<Buffer> {
  const chunk = Buffer.alloc(256 * 1024, 'x')
  for (let left = size; left > 0; left -= chunk.length) yield chunk.subarray(0, Math.min(left, chunk.length))
}

async function sizeOf(stream: AsyncIterable<Buffer>, pause?: () => Promise<void>): Promise<number> {
  let size = 0
  for await (const chunk of stream) {
    if (size < 64 * MiB && size + chunk.length >= 64 * MiB) await pause?.()
    size += chunk.length
  }
  return size
}

const line = (text: string) => (text.length + 4).toString(16).padStart(4, '0') + text
const sleep = (ms: number) => new Promise<void>(done => setTimeout(done, ms))

function call(cloneUrl: string, path: string, method: string) {
  const url = new URL(cloneUrl)
  const authorization = `Basic ${Buffer.from(`${url.username}:${url.password}`).toString('base64')}`
  url.username = url.password = ''
  const request = httpRequest(`${url.href}/${path}`, { method, headers: { authorization } })
  return {
    request,
    answer: new Promise<IncomingMessage>((done, failed) => request.on('response', done).on('error', failed)),
  }
}

test('a push of 1 GiB goes through in flat memory, at the pace of the forge', async t => {
  const { forge, commit, cloneUrl, memory } = await given(t)
  const got = new Promise<number>((done, failed) => {
    forge.instead = (request, response) => {
      // It stops for a while: what the door takes meanwhile, it would have to keep.
      sizeOf(request, () => sleep(1500)).then(size => {
        response.end('done')
        done(size)
      }, failed)
      return true
    }
  })
  const before = memory('VmRSS')
  const head = `${line(`${'0'.repeat(40)} ${'b'.repeat(40)} refs/jci-runs/${commit}/1700000000-aaaa\0report-status`)}0000`
  const { request, answer } = call(cloneUrl, 'git-receive-pack', 'POST')
  request.write(head)
  await pipeline(Readable.from(bytes(GiB)), request)
  t.equal(await got, GiB + head.length)
  t.equal((await answer).statusCode, 200)
  const grown = memory('VmHWM') - before
  t.ok(grown < FLAT, `${Math.round(grown / MiB)} MiB more`)
})

test('a fetch of 1 GiB goes through in flat memory, at the pace of the job', async t => {
  const { forge, cloneUrl, memory } = await given(t)
  forge.instead = (request, response) => {
    request.resume()
    pipeline(Readable.from(bytes(GiB)), response).catch(() => undefined)
    return true
  }
  const before = memory('VmRSS')
  const { request, answer } = call(cloneUrl, 'git-upload-pack', 'POST')
  request.end('0000')
  t.equal(await sizeOf(await answer, () => sleep(1500)), GiB)
  const grown = memory('VmHWM') - before
  t.ok(grown < FLAT, `${Math.round(grown / MiB)} MiB more`)
})

test('git itself fetches and pushes 48 MiB through it', async t => {
  const { sandbox, forge, commit, cloneUrl, memory } = await given(t)
  const bare = sandbox.path('forge/o/hello.git')
  const script = `head -c ${48 * MiB} /dev/urandom >big; git add big; git -c core.compression=0 commit -qm big; git push -q "$0" HEAD:big`
  sandbox.ok('sh', ['-ec', script, bare], { cwd: 'work/o/hello' })
  const before = memory('VmRSS')
  const git = (args: string[], cwd: string) =>
    sandbox.start('git', args, { cwd, env: { GIT_TERMINAL_PROMPT: '0' } }).ended
  t.equal((await git(['clone', '-q', '-b', 'big', cloneUrl, 'clone'], '.')).code, 0)
  sandbox.ok(
    'sh',
    [
      '-ec',
      'cmp big ../work/o/hello/big; tr a-z b-za <big >more; git add more; git -c core.compression=0 commit -qm more',
    ],
    {
      cwd: 'clone',
      env: { LC_ALL: 'C' },
    },
  )
  const ref = `refs/jci-runs/${commit}/1700000000-aaaa`
  const pushed = await git(['push', '-q', 'origin', `HEAD:${ref}`], 'clone')
  t.equal(pushed.code, 0, pushed.stderr)
  t.equal(sandbox.git(bare, 'rev-parse', ref), sandbox.git(sandbox.path('clone'), 'rev-parse', 'HEAD'))
  const grown = memory('VmHWM') - before
  t.ok(grown < FLAT, `${Math.round(grown / MiB)} MiB more`)
  t.same(forge.api.lies, [])
})

test('a forge that leads elsewhere, or breaks off, is not followed and does no harm', async t => {
  const { forge, cloneUrl } = await given(t)
  forge.instead = (_, response) => {
    response.writeHead(302, { Location: 'http://127.0.0.1:1/elsewhere' }).end()
    return true
  }
  const first = await (async () => {
    const { request, answer } = call(cloneUrl, 'info/refs?service=git-upload-pack', 'GET')
    request.end()
    return answer
  })()
  t.equal(first.statusCode, 502)
  t.notOk(first.headers.location)
  first.resume()
  forge.instead = (_, response) => {
    response.writeHead(200).write('half')
    setTimeout(() => response.destroy(), 50)
    return true
  }
  const { request, answer } = call(cloneUrl, 'info/refs?service=git-upload-pack', 'GET')
  request.end()
  await t.rejects(sizeOf(await answer), 'half an answer does not look like a whole one')
  forge.instead = () => false
  const third = call(cloneUrl, 'info/refs?service=git-upload-pack', 'GET')
  third.request.end()
  t.equal((await third.answer).statusCode, 200, 'it lives')
  third.request.destroy()
})
