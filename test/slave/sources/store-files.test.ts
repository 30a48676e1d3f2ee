// The files of a job on their way to the store: what is away is waited for, what is refused for good is left out and told of.

import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { test } from 'tap'
import type { Test } from 'tap'

import { PATH_MAX } from '../../../lib/farm/protocol.ts'
import { FarmerClient, Gone, NotTaken } from '../../../slave/sources/farmer-client.ts'
import { storeFiles } from '../../../slave/sources/store-files.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

const NEVER = new AbortController().signal

/** A farmer and its store, which answers with these statuses by the path of a file, and then, and to others, with 200. */
async function farmerWith(t: Test, statuses: Record<string, number[]>, status = 200) {
  const puts: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (part: string) => (body += part))
    request.on('end', () => {
      if (request.method === 'PUT') {
        const path = decodeURIComponent(request.url!.slice(1))
        puts.push(path)
        response.writeHead(statuses[path]?.shift() ?? 200).end()
        return
      }
      const { files } = JSON.parse(body) as { files: { path: string }[] }
      const addresses = files.map(({ path }) => [path, `${origin}/${encodeURIComponent(path)}`] as const)
      response.writeHead(status).end(JSON.stringify({ addresses: Object.fromEntries(addresses) }))
    })
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { client: new FarmerClient(origin, undefined), puts }
}

function jobWith(t: Test, paths: readonly string[]): string {
  const job = new Sandbox(t).path('job')
  for (const path of paths) {
    mkdirSync(dirname(join(job, path)), { recursive: true })
    writeFileSync(join(job, path), 'hello')
  }
  return job
}

test('a file that the store refuses for good is left out, and people are told', async t => {
  const [log, late, bad] = ['steps/one/stdout.txt', 'artifacts/late', 'artifacts/bad']
  const { client, puts } = await farmerWith(t, {
    [late]: [503, 403, 404, 429, 400],
    [bad]: Array<number>(99).fill(400),
  })
  const job = jobWith(t, [log, late, bad])
  const stored = await storeFiles(client, 'attempt', job, 'name', AbortSignal.timeout(30_000))
  t.same(
    stored.files,
    [log, late].map(path => ({ path, size: 5 })),
  )
  t.same(stored.notes, [`'${bad}' is not stored: 400 Bad Request`])
  t.same(
    [log, late, bad].map(path => puts.filter(put => put === path).length),
    [1, 6, 4],
  )
})

test('a path that is longer than a store can take is left out', async t => {
  const long = ['artifacts', ...Array<string>(9).fill('ä'.repeat(53)), 'ä'].join('/')
  t.ok(long.length < 1000 && Buffer.byteLength(long) > PATH_MAX)
  const { client, puts } = await farmerWith(t, {})
  const stored = await storeFiles(client, 'attempt', jobWith(t, [long, 'artifacts/a']), 'name', NEVER)
  t.same(stored.files, [{ path: 'artifacts/a', size: 5 }])
  t.same(puts, ['artifacts/a'])
  t.match(stored.notes, [
    /^1 of 2 files are left out, such as 'artifacts\/ä+.*': a farmer takes 2000 at most/,
  ])
})

test('who is told that the attempt is gone, or that no file is taken, does not insist', async t => {
  const job = jobWith(t, ['artifacts/a'])
  for (const [status, kind] of [
    [410, Gone],
    [400, NotTaken],
  ] as const) {
    const { client } = await farmerWith(t, {}, status)
    const error: unknown = await storeFiles(client, 'attempt', job, 'name', NEVER).catch(
      (error: unknown) => error,
    )
    t.ok(error instanceof kind, String(error))
  }
})
