// The pages and the API of git jci web, over HTTP and in Chromium, with stored runs that nobody should trust.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { teardown, test } from 'tap'

import { parsePath } from '../../../bin/jci/web/app.ts'
import { storeRun } from '../../../lib/jci/store.ts'
import { findings } from '../../fixtures/axe.ts'
import { ask, closeBrowser, openBrowser, openPage } from '../../fixtures/browser.ts'
import { countingGit } from '../../fixtures/counting-git.ts'
import { eventually, lacks, Sandbox } from '../../fixtures/sandbox.ts'

type Test = ConstructorParameters<typeof Sandbox>[0]

const EVIL = `<script>document.title='evil'; fetch('/api/branches')</script><img src=x onerror="document.title='evil'"><h1>report</h1>`

/** A repository of 101 commits; the last one has two runs, the newer one full of what may do harm. */
async function served(t: Test) {
  const sandbox = new Sandbox(t)
  const code = sandbox.path('code')
  sandbox.git(sandbox.dir, 'init', '-q', '-b', 'main', 'code')
  const commits = Array.from(
    { length: 101 },
    (_, i) =>
      `commit refs/heads/main\ncommitter A <a@b> ${1_700_000_000 + i} +0000\ndata <<E\n<b>commit ${i}</b>\nE\n\n`,
  )
  sandbox.ok('git', ['fast-import', '--quiet'], { cwd: 'code', input: commits.join('') })
  for (const branch of ['--output=pwned', '<i>x</i>'])
    sandbox.git(code, 'update-ref', `refs/heads/${branch}`, 'main')
  const commit = sandbox.git(code, 'rev-parse', 'main')
  const output = sandbox.path('output')
  mkdirSync(`${output}/sub dir`, { recursive: true })
  writeFileSync(`${output}/status.txt`, 'ok\n')
  await storeRun(code, commit, output, '1700000000-aaaa')
  writeFileSync(`${output}/status.txt`, 'err\n')
  writeFileSync(`${output}/run.output.txt`, '\x1b[31mred\x1b[0m <script>alert(1)</script>\n')
  writeFileSync(`${output}/index.html`, EVIL)
  writeFileSync(
    `${output}/pic.svg`,
    `<svg xmlns="http://www.w3.org/2000/svg"><script>document.title='evil'</script></svg>`,
  )
  writeFileSync(`${output}/sub dir/a?b#c %41.txt`, 'odd name\n')
  writeFileSync(`${output}/sub dir/raw`, 'a file called raw\n')
  writeFileSync(`${output}/program`, Buffer.from([0, 1, 2]))
  writeFileSync(`${output}/two\nlines \u202e\x1b[31m`, 'of a name with a line break\n')
  writeFileSync(Buffer.from(`${output}/caf\xe9`, 'latin1'), 'of a name that is no UTF-8\n')
  await storeRun(code, commit, output, '1700000001-bbbb')
  const running = sandbox.start('bin/git-jci', ['web', '0'], {
    cwd: 'code',
    env: { JCI_WEB_URL: 'https://runs.example.org/' },
  })
  const url = await eventually('it listens', () => /listening on (http:\S+)\//.exec(running.stderr())?.[1])
  const json = async (path: string) => JSON.parse((await ask(url + path)).body) as Record<string, unknown>
  return { sandbox, url, json, commit, running }
}

test('the API', async t => {
  const { sandbox, url, json, commit, running } = await served(t)
  t.same(await json('/api/branches'), ['main', '--output=pwned', '<i>x</i>'])
  const first = await json('/api/commits?branch=main')
  const ref = (run: string) => `refs/jci-runs/${commit}/${run}`
  const runs = [
    { runId: '1700000001-bbbb', status: 'failed', ref: ref('1700000001-bbbb') },
    { runId: '1700000000-aaaa', status: 'success', ref: ref('1700000000-aaaa') },
  ]
  t.match(first, { branch: 'main', page: 0, pageSize: 100, hasMore: true })
  const list = first['commits'] as Record<string, unknown>[]
  t.equal(list.length, 100)
  t.same(list[0], { hash: commit, shortHash: commit.slice(0, 7), message: '<b>commit 100</b>', hasCI: true, ciStatus: 'failed', runs }) // prettier-ignore
  t.match(list[1], { hasCI: false, ciStatus: '', runs: [] })
  const second = await json('/api/commits?branch=main&page=1')
  t.match(second, { page: 1, hasMore: false })
  t.equal((second['commits'] as unknown[]).length, 1)
  t.equal(((await json('/api/commits?branch=--output%3Dpwned'))['commits'] as unknown[]).length, 100)
  t.same(sandbox.ls('code'), ['.git'], 'a branch is no option')

  const latest = await json(`/api/commit/${commit}`)
  t.match(latest, { hash: commit, author: 'A', date: '2023-11-14T22:15:00.000Z', status: 'failed', runId: '1700000001-bbbb', ref: ref('1700000001-bbbb'), runs }) // prettier-ignore
  t.ok((latest['files'] as string[]).includes('sub dir/a?b#c %41.txt'))
  t.match(await json(`/api/commit/${commit}/1700000000-aaaa`), { status: 'success', files: ['status.txt'] })

  for (const [path, status] of [
    ['/api/commits', 400],
    ['/api/commits?branch=', 400],
    ['/api/commits?branch=nope', 404],
    ['/api/commits?branch=main..main', 404],
    [`/api/commit/${'0'.repeat(40)}`, 404],
    ['/api/commit/HEAD', 404],
    [`/api/commit/${commit}/1700000009-aaaa`, 404],
    [`/jci/${commit}/nothing.txt`, 404],
    [`/jci/${commit}/nothing.txt/raw`, 404],
    [`/jci/${commit}/%00/raw`, 404],
    ['/jci/x', 404],
    ['/jci/%zz', 404],
    ['/nothing', 404],
  ] as const)
    t.equal((await ask(url + path)).status, status, path)
  t.equal((await ask(`${url}/api/branches`, { host: 'evil.example.org' })).status, 421)
  t.equal((await ask(`${url}/api/branches`, { host: 'runs.example.org' })).status, 200, 'as JCI_WEB_URL says')
  t.equal((await running.kill('SIGTERM')).code, 0)
})

test('files of a run are served so that they cannot act', async t => {
  const { url, commit } = await served(t)
  const raw = (path: string) => ask(`${url}/jci/${commit}/${path}/raw`)
  t.match(await raw('1700000001-bbbb/sub%20dir/a%3Fb%23c%20%2541.txt'), { status: 200, body: 'odd name\n' })
  t.match(await raw('sub%20dir/raw'), { status: 200, body: 'a file called raw\n' })
  t.match((await raw('1700000000-aaaa/status.txt')).body, 'ok\n')
  t.match(await raw('caf%25E9'), { status: 200, body: 'of a name that is no UTF-8\n' })
  t.match(await raw('two%0Alines%20%E2%80%AE%1B%5B31m'), {
    status: 200,
    body: 'of a name with a line break\n',
  })
  for (const name of ['index.html', 'pic.svg', 'run.output.txt', 'program']) {
    const { headers } = await raw(name)
    t.match(headers['content-security-policy'], /^sandbox; default-src 'none'/, name)
    t.equal(headers['x-content-type-options'], 'nosniff')
  }
  t.equal((await raw('program')).headers['content-disposition'], 'attachment')
})

test('who asks for the head of a large file alone, or for a part, leaves no git behind', async t => {
  const { sandbox, url, commit, running } = await served(t)
  const output = sandbox.path('large')
  mkdirSync(output)
  writeFileSync(`${output}/status.txt`, 'ok\n')
  writeFileSync(`${output}/large.log`, Buffer.alloc(33 << 20, 'line\n'))
  await storeRun(sandbox.path('code'), commit, output, '1700000002-cccc')
  const file = `${url}/jci/${commit}/large.log`
  for (let i = 0; i < 5; i++) {
    const answer = await fetch(`${file}/raw`, { method: 'HEAD' })
    t.match([answer.status, answer.headers.get('content-length')], [200, String(33 << 20)])
  }
  const reader = (await fetch(`${file}/raw`)).body!.getReader()
  await reader.read()
  await reader.cancel()
  const children = `/proc/${running.pid}/task/${running.pid}/children`
  await eventually('no git is left', () => readFileSync(children, 'utf8').trim() === '')
  t.match((await ask(file)).body, 'too large to be shown')
})

test('a page costs no more git processes with more runs', async t => {
  const sandbox = new Sandbox(t)
  const count = countingGit(t, sandbox)
  const { sandbox: site, url, commit, json } = await served(t)
  count()
  await ask(`${url}/api/commits?branch=main`)
  t.ok(count() <= 4)
  await ask(`${url}/api/commits?branch=main`)
  t.equal(count(), 1, 'what does not change is remembered')
  await ask(`${url}/api/commits?branch=main&page=1`)
  t.ok(count() <= 3, 'another page: its log, the refs, and what is said in them')
  await ask(`${url}/jci/${commit}/run.output.txt`)
  t.ok(count() <= 12)

  const shown = async () =>
    ((await json('/api/commits?branch=main'))['commits'] as { hash: string; runs: unknown[] }[])[0]!
  const code = site.path('code')
  const ref = `refs/jci-runs/${commit}/1700000001-bbbb`
  site.git(code, 'update-ref', `refs/jci-runs/${commit}/1700000002-cccc`, ref)
  t.match(await shown(), { hash: commit, runs: { length: 3 } }, 'a new run is seen')
  site.git(code, 'update-ref', 'refs/heads/main', 'main^')
  t.not((await shown()).hash, commit, 'and that the branch moved')
})

teardown(closeBrowser)

for (const javaScriptEnabled of [true, false]) {
  for (const [look, options] of Object.entries({
    light: { colorScheme: 'light' },
    'dark, on a phone': { colorScheme: 'dark', viewport: { width: 360, height: 700 } },
  } as const)) {
    const title = `in Chromium, ${look}, ${javaScriptEnabled ? 'with' : 'without'} JavaScript`
    test(title, { skip: lacks('chromium') }, async t => {
      const { url, commit } = await served(t)
      const page = await openPage(await openBrowser(), { ...options, javaScriptEnabled })
      await page.goto(url)
      await page.getByRole('link', { name: 'commit 100' }).click()
      await page.getByRole('link', { name: 'run.output.txt' }).click()
      t.match(await page.locator('pre').textContent(), /^red <script>alert\(1\)<\/script>\n/)
      t.equal(await page.locator('pre .fg-red').textContent(), 'red')
      t.equal(await page.locator('h2').count(), 3, 'three panels')
      const paths = [
        '/',
        `/jci/${commit}`,
        `/jci/${commit}/run.output.txt`,
        '/?branch=main&page=1',
        '/nothing',
      ]
      for (const path of javaScriptEnabled ? paths : []) {
        await page.goto(url + path)
        t.same(await findings(page), [], path)
        const over = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
        t.ok(over <= 0, `${path} is ${over} px too wide`)
      }
      for (const name of ['index.html', 'pic.svg']) {
        await page.goto(`${url}/jci/${commit}/${name}/raw`)
        t.not(await page.title(), 'evil', name)
      }
      await page.goto(`${url}/jci/${commit}/index.html/raw`)
      t.equal(await page.locator('h1').textContent(), 'report')
    })
  }
}

test('addresses', t => {
  const hash = 'a'.repeat(40)
  const run = '1700000000-beef'
  t.same(parsePath(`/jci/${hash}`), { hash, file: '', raw: false })
  t.same(parsePath(`/jci/${hash}/${run}`), { hash, run, file: '', raw: false })
  t.same(parsePath(`/jci/${hash}/${run}/a/b/raw`), { hash, run, file: 'a/b', raw: true })
  t.same(parsePath(`/jci/${hash}/raw`), { hash, file: 'raw', raw: false })
  t.same(parsePath(`/jci/${hash}/raw/raw`), { hash, file: 'raw', raw: true })
  t.same(parsePath(`/jci/${hash}/a%20b`), { hash, file: 'a b', raw: false })
  t.equal(parsePath('/jci/%'), undefined)
  t.end()
})
