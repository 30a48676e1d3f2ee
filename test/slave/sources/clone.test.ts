import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { checkOut } from '../../../slave/sources/clone.ts'
import { Farm } from '../../fixtures/farm.ts'
import { GitOverHttp } from '../../fixtures/forges/git-over-http.ts'
import { eventually, Sandbox } from '../../fixtures/sandbox.ts'

test('a git server that is away loses no job, and one that will never give the commit ends it', async t => {
  const farm = await Farm.make(t)
  const server = await GitOverHttp.open(t, farm.dir)
  let status = 0
  server.instead = (_, response) => {
    if (status !== 0) response.writeHead(status).end()
    return status !== 0
  }
  const url = `${server.url}/code/.git`
  farm.settings({ FARMER_CLONE: url })
  const revision = farm.commit({ 'hello.txt': 'hello\n', Testfile: 'look: cat hello.txt\n' })
  const farmer = await farm.farmer()
  await farm.push(farmer.url, revision)
  await eventually('the job', async () => (await farm.db`select 1 from job`).length === 1, 60)

  status = 503
  const worker = farm.worker(farmer.url)
  const asked = server.asked.length
  await eventually('several tries', () => server.asked.length > asked + 5, 60)
  t.match(await farm.db`select losses, try from job join run on run.job = num`, [{ losses: 0, try: 1 }])
  t.match(worker.stderr(), /unable to fetch from .*: .*503/)
  status = 0
  t.same(await farm.verdicts(1), { look: 'success' })
  t.match(await farm.db`select try from result`, [{ try: 1 }])

  const directory = farm.path('clone')
  const wanted = { url, ref: 'refs/heads/main', revision }
  const stop = new AbortController()
  await t.rejects(checkOut(directory, { ...wanted, revision: 'f'.repeat(40) }, false, stop.signal), {
    exitCode: 100,
    message: `unable to fetch '${'f'.repeat(40)}': the server does not have it any more`,
  })
  server.let = 'somebody:else'
  await t.rejects(checkOut(farm.path('clone-2'), wanted, false, stop.signal), {
    exitCode: 100,
    message: /^unable to fetch from .*: .*could not read Username/,
  })
  status = 503
  const waits = checkOut(farm.path('clone-3'), wanted, false, stop.signal)
  setTimeout(() => stop.abort(), 200)
  await t.rejects(waits, 'nobody waits for a job that was cancelled')
  t.notOk(existsSync(farm.path('clone-3/hello.txt')))
})

test('a clone that was left half made, or damaged, is mended', async t => {
  const box = new Sandbox(t)
  const [code, directory] = [box.path('code'), box.path('clone')]
  box.git(box.dir, 'init', '-q', '-b', 'main', code)
  const commit = (text: string) => {
    writeFileSync(box.path('code/hello.txt'), text)
    box.git(code, 'add', '-A')
    box.git(code, 'commit', '-q', '-m', text)
    return box.git(code, 'rev-parse', 'HEAD')
  }
  const to = (revision: string) =>
    checkOut(directory, { url: code, ref: 'refs/heads/main', revision }, false, new AbortController().signal)
  const text = () => readFileSync(box.path('clone/hello.txt'), 'utf8')

  const one = commit('one')
  t.equal(await to(one), true, 'it is fetched')
  writeFileSync(box.path('clone/junk'), '')
  t.equal(await to(one), false, 'it is there')
  t.notOk(existsSync(box.path('clone/junk')))

  // As a fetch leaves it that was killed: the commit is there, and its files are not.
  const two = commit('two')
  box.git(directory, 'fetch', '-q', '--no-write-fetch-head', code, 'main')
  const blob = box.git(directory, 'rev-parse', `${two}:hello.txt`)
  rmSync(box.path(`clone/.git/objects/${blob.slice(0, 2)}/${blob.slice(2)}`))
  t.equal(await to(two), true, 'what is missing is fetched')
  t.equal(text(), 'two')

  t.equal(await to(one), false)
  writeFileSync(box.path('clone/.git/index.lock'), '')
  t.equal(await to(two), false)
  t.equal(text(), 'two', 'a git that was killed leaves a lock')

  // One that no try can mend costs one attempt.
  writeFileSync(box.path('clone/.git/HEAD.lock'), '')
  const three = commit('three')
  await t.rejects(to(three), { exitCode: 111, message: /^unable to check out '[0-9a-f]{40}': .*HEAD\.lock/ })
  t.equal(await to(three), true, 'it is made anew')
  t.equal(text(), 'three')

  writeFileSync(box.path('clone/.git/config'), '[core\n')
  t.equal(await to(three), true, 'what git cannot read is made anew')
  t.equal(text(), 'three')
})
