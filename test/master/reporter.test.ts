import { request } from 'node:http'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { parseListen } from '../../lib/base/settings.ts'
import { ask, post, serve } from '../fixtures/browser.ts'
import { eventually, Sandbox } from '../fixtures/sandbox.ts'
import { endStep, layShowcase, printLine } from '../fixtures/showcase.ts'

const TOKEN = 'correct horse battery'
const HTML = { accept: 'text/html' }

/** Reads a stream of events until one of this name, and answers all of it. */
function eventsUntil(url: string, name: string, then?: () => void): Promise<string> {
  return new Promise((done, failed) => {
    const asked = request(url, response => {
      let text = ''
      then?.()
      response.setEncoding('utf8').on('data', (more: string) => {
        text += more
        if (!text.includes(`event: ${name}\n`)) return
        asked.destroy()
        done(text)
      })
    })
    asked.on('error', error => {
      if (!asked.destroyed) failed(error)
    })
    asked.end()
  })
}

test('without a token everybody reads and nobody acts', async t => {
  const sandbox = new Sandbox(t)
  const { repository } = layShowcase(sandbox)
  const { url } = await serve(sandbox, { PROJ: repository })

  const front = await ask(`${url}/`, HTML)
  t.equal(front.status, 200)
  for (const text of [
    'Remove the last goto',
    'Edsger Dijkstra',
    'no taker for freebsd-amd64 has been seen',
    '1m 04s',
  ]) {
    t.ok(front.body.includes(text), text)
  }
  t.ok(
    front.body.includes('docs: explain &lt;b&gt;notes&lt;/b&gt; &amp; numbers'),
    'what others wrote is escaped',
  )
  t.notMatch(front.body, / style=|<script>|onclick=/)
  t.notMatch(front.body, /<button>(Cancel|Retry)/)
  t.match(front.headers, {
    'content-security-policy': /default-src 'none'.*script-src 'self'/,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'same-origin',
  })

  for (const path of [
    '/job/15',
    '/job/8',
    '/job/20',
    '/job/13',
    '/hosts',
    '/host/mill',
    '/job/20/log/30-test',
  ]) {
    const { status, body } = await ask(url + path, HTML)
    t.equal(status, 200, path)
    for (const secret of [sandbox.dir, '/var/lib/bass'])
      t.notOk(body.includes(secret), `${path} does not say ${secret}`)
  }
  t.notOk((await ask(`${url}/api/status`)).body.includes('/var/lib/bass'))

  const [ours, theirs] = [`${url}/job/20/cancel`, { 'sec-fetch-site': 'same-origin' }]
  t.equal((await post(ours, {}, theirs)).status, 403)
  t.equal((await post(ours, {}, { authorization: 'Bearer undefined' })).status, 403)
  t.equal((await ask(`${url}/login`)).status, 404)
  t.notOk(
    readdirSync(
      join(
        sandbox.spool.tasks.cur,
        sandbox.ls('spool/tasks/cur').find(n => n.startsWith('20:'))!,
      ),
    ).includes('cancel'),
  )
})

test('rows are chosen by what the address says, and pages go on where the one before ended', async t => {
  const sandbox = new Sandbox(t)
  const { maker } = layShowcase(sandbox)
  for (let num = 100; num < 160; num++) maker.finishedJob(`${num}:many:v${num}:a`, { host: `h${num % 2}` })
  const { url } = await serve(sandbox)
  const rows = async (path: string) => {
    const { body } = await ask(url + path, HTML)
    return {
      versions: [...body.matchAll(/class="what" href="\/job\/(\d+)"/g)].map(match => Number(match[1])),
      body,
    }
  }
  const first = await rows('/project/many')
  t.same(
    first.versions,
    Array.from({ length: 25 }, (_, i) => 159 - i),
  )
  const next = /rel="next"\s+href="([^"]+)"/.exec(first.body)?.[1]
  maker.finishedJob('200:many:v200:a')
  t.same(
    (await rows(next!)).versions,
    Array.from({ length: 25 }, (_, i) => 134 - i),
  )
  t.same((await rows('/?host=h1&project=many&before=104')).versions, [103, 101])
  t.same((await rows('/?verdict=timeout')).versions, [6])
  t.same((await rows('/?ref=refs/heads/notes')).versions, [16])
  t.same((await rows('/?q=v101')).versions, [101])
  t.match((await rows('/?q=nothing')).body, /Nothing matches/)
})

test('a log is plain text for curl, with raw labels or local times', async t => {
  const sandbox = new Sandbox(t)
  layShowcase(sandbox)
  const { url } = await serve(sandbox)
  const raw = await ask(`${url}/job/15/log/30-test`, { accept: '*/*' })
  t.match(raw.headers['content-type'], /^text\/plain/)
  t.match(raw.body, /^@[0-9a-f]{24} \x1b\[1mRunning 4 tests/) // eslint-disable-line no-control-regex -- as it was printed
  t.equal(raw.body.trim().split('\n').length, 8)
  const local = await ask(`${url}/job/15/log/30-test?tai64nlocal=1`)
  t.match(local.body, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9} /)
})

test('a log that grows is followed until its step is over', async t => {
  const sandbox = new Sandbox(t)
  const { running } = layShowcase(sandbox)
  const { url } = await serve(sandbox)
  const page = await ask(`${url}/job/20/log/30-test`, HTML)
  const to = /data-to="([\d,]+)"/.exec(page.body)?.[1]
  const events = await eventsUntil(`${url}/job/20/log/30-test/events?from=${to!}`, 'end', () => {
    printLine(running, 'a <new> line')
    setTimeout(() => {
      printLine(running, 'the last one', 'stderr')
      endStep(running, '0')
    }, 300)
  })
  t.match(events, /event: lines[\s\S]*a &lt;new&gt; line[\s\S]*event: lines[\s\S]*the last one/)
  t.notMatch(events, /Running 4 tests/, 'what the page has is not sent again')
  const id = /id: ([\d,]+)/.exec(events)![1]!
  const again = await eventsUntil(`${url}/job/20/log/30-test/events?from=${id}`, 'end')
  t.notMatch(again, /a &lt;new&gt; line/)
  t.match(again, /the last one/)
})

test('a log of 100 MB opens at any place without reading all of it', async t => {
  const sandbox = new Sandbox(t)
  const { running } = layShowcase(sandbox)
  const line = `@4000000065f0000000000000 ${'x'.repeat(73)}\n`
  writeFileSync(join(running, 'stdout.txt'), line.repeat(1_000_000))
  const { url, running: program } = await serve(sandbox)
  const before = memory(program.pid)
  for (const query of ['', '?part=0', '?part=50', '?line=o99999900', '?q=nowhere']) {
    const { status, body } = await ask(`${url}/job/20/log/30-test${query}`, HTML)
    t.equal(status, 200)
    t.ok(body.length < 400_000, query)
  }
  t.ok(memory(program.pid) - before < 40 << 20, 'memory does not grow with the log')
})

test('artifacts are served so that they do no harm', async t => {
  const sandbox = new Sandbox(t)
  layShowcase(sandbox)
  const job = join(
    sandbox.spool.jobs.cur,
    sandbox.ls('spool/jobs/cur').find(name => name.startsWith('15:'))!,
  )
  symlinkSync('/etc/passwd', join(job, 'artifacts', 'passwd'))
  symlinkSync('..', join(job, 'artifacts', 'up'))
  sandbox.ok('mkfifo', [join(job, 'artifacts', 'pipe')])
  const { url } = await serve(sandbox)
  const base = `${url}/job/15/artifacts`
  const report = await ask(`${base}/report/index.html`)
  t.match(report.headers, {
    'content-security-policy': /^sandbox; default-src 'none'/,
    'x-content-type-options': 'nosniff',
  })
  t.match((await ask(`${base}/tables.tar.zst`)).headers['content-disposition'], /^attachment/)
  t.match((await ask(`${base}/`)).body, /junit\.xml/)
  const rest = await ask(`${base}/tables.tar.zst`, { Range: 'bytes=48200-' })
  t.match(rest, { status: 206, body: /^x{13}$/, headers: { 'content-range': 'bytes 48200-48212/48213' } })
  t.equal((await ask(`${base}/tables.tar.zst`, { Range: 'bytes=48213-' })).status, 416)
  for (const path of [
    'passwd',
    'up/result.txt',
    'pipe',
    '..%2fresult.txt',
    '../result.txt',
    '%2e%2e/result.txt',
    'none',
    '%00',
  ]) {
    t.equal((await ask(`${base}/${path}`)).status, 404, path)
  }
})

test('artifacts are found whatever their names are', async t => {
  const sandbox = new Sandbox(t)
  layShowcase(sandbox)
  const name = sandbox.ls('spool/jobs/cur').find(name => name.startsWith('15:'))!
  const files = { 'caf\\351.txt': 'bytes', 'caf%%E8.txt': 'as it is', 'd\\377/\\351': 'below' }
  for (const [file, content] of Object.entries(files)) {
    const script =
      'cd "$0/artifacts"; f=$(printf "$1"); case $f in */*) mkdir "${f%/*}" ;; esac; printf %s "$2" >"$f"'
    sandbox.ok('sh', ['-ec', script, join(sandbox.spool.jobs.cur, name), file, content])
  }
  const { url } = await serve(sandbox)
  const base = `${url}/job/15/artifacts`
  const { body } = await ask(`${base}/`)
  const linkTo = (text: string) => new RegExp(`href="([^"]*)"\\s*>${text}<`).exec(body)?.[1]
  for (const [text, content] of [
    ['caf%E9.txt', 'bytes'],
    ['caf%E8.txt', 'as it is'],
  ] as const) {
    const link = linkTo(text)
    t.ok(link, text)
    t.match(await ask(`${url}${link!}`), { status: 200, body: content }, text)
  }
  t.match((await ask(`${url}${linkTo('d%FF/')!}`)).body, '%25E9')
  t.equal((await ask(`${base}/d%25FF/%25E9`)).body, 'below')
  t.equal((await ask(`${base}/d%25FE/%25E9`)).status, 404)
  t.equal((await ask(`${base}/d%zz`)).status, 404, 'what is no escape')
})

test('events that nobody makes into tasks are shown', async t => {
  const sandbox = new Sandbox(t)
  layShowcase(sandbox)
  const event = sandbox.path('spool/revs/tables/refs/heads/main', 'a'.repeat(40))
  mkdirSync(join(event, '..'), { recursive: true })
  writeFileSync(event, '')
  utimesSync(event, new Date(), new Date(Date.now() - 180_000))
  const { url } = await serve(sandbox)
  const told = 'tables: 1 event waits to become tasks, the oldest came 3 min ago; does its task-maker run?'
  t.match((await ask(`${url}/`)).body, told)
  t.match((await ask(`${url}/project/tables`)).body, told)
  t.notMatch((await ask(`${url}/project/other`)).body, told)
})

test('HEAD is answered with headers only, and leaves nothing behind', async t => {
  const sandbox = new Sandbox(t)
  layShowcase(sandbox)
  const { url, running } = await serve(sandbox)
  const open = () => readdirSync(`/proc/${running.pid}/fd`).length
  const head = (path: string) =>
    new Promise<number | undefined>((done, failed) => {
      request(url + path, { method: 'HEAD' }, answer => done(answer.resume().statusCode))
        .on('error', failed)
        .end()
    })
  const paths = [
    '/events',
    '/job/20/log/30-test/events',
    '/job/20/log/30-test?plain=1',
    '/job/15/artifacts/tables.tar.zst',
  ]
  for (const path of paths) t.equal(await head(path), 200, path)
  const before = open()
  for (let i = 0; i < 40; i++) await Promise.all(paths.map(head))
  await eventually('what was opened is closed', () => open() <= before + 8)
  // One stream is heard to the end of the program.
  const heard = request(`${url}/events`, answer => answer.resume().on('error', () => undefined)).on(
    'error',
    () => undefined,
  )
  heard.end()
  await new Promise(done => heard.on('response', done))
  t.match(await running.kill('SIGTERM'), { code: 0, signal: null })
})

test('names that lead elsewhere are not here', async t => {
  const sandbox = new Sandbox(t)
  layShowcase(sandbox)
  const { url } = await serve(sandbox)
  for (const path of [
    '/job/15/log/..',
    '/job/15/log/..%2f..%2fresult.txt',
    '/job/1e1',
    '/job/-1',
    '/project/none',
    '/host/none',
    '/static/..%2fapp.ts',
    '/job/4711',
    '/%ff',
  ]) {
    t.equal((await ask(url + path, HTML)).status, 404, path)
  }
})

test('programs get badges, feeds, metrics and the JSON of the verbs', async t => {
  const sandbox = new Sandbox(t)
  layShowcase(sandbox)
  const { url } = await serve(sandbox, { REPORTER_URL: 'https://ci.example.org' })
  t.equal((await ask(`${url}/healthz`)).body, 'ok\n')

  t.match((await ask(`${url}/project/tables/badge.svg?ref=notes`)).body, /tables notes: failed/)
  t.match((await ask(`${url}/project/tables/badge.svg?ref=main`)).body, /tables main: error/)
  t.match((await ask(`${url}/project/none/badge.svg`)).body, /none: unknown/)

  const feed = (await ask(`${url}/project/tables/feed.atom`)).body
  t.match(feed, /<feed xmlns="http:\/\/www.w3.org\/2005\/Atom">/)
  t.match(feed, /https:\/\/ci\.example\.org\/job\/15/)

  const metrics = (await ask(`${url}/metrics`)).body
  t.match(metrics, /^bass_tasks\{project="tables",target="linux-x86_64",state="running"\} 1$/m)
  t.match(metrics, /^bass_takers\{host="mill",arch="linux-x86_64",state="busy"\} 1$/m)
  t.match(sandbox.run('promtool', ['check', 'metrics'], { input: metrics }), {
    code: 0,
    stdout: '',
    stderr: '',
  })

  const status = JSON.parse((await ask(`${url}/api/status`)).body) as Record<
    'waiting' | 'running' | 'recent',
    { num: number }[]
  >
  t.same(status.waiting.map(({ num }) => num), [21, 22, 23]) // prettier-ignore
  t.same(status.running.map(({ num }) => num), [20]) // prettier-ignore
  t.equal(status.recent.length, 10)
  const shown = JSON.parse((await ask(`${url}/api/show/15`)).body) as { job: { verdict: string; slot: null } }
  t.match(shown, { name: /^15:tables:/, job: { verdict: 'failure', slot: null }, jobDirectory: null })
  t.match(shown, {
    artifactFiles: [{ path: 'junit.xml' }, { path: 'report/index.html' }, { path: 'tables.tar.zst' }],
  })
  t.match(shown, {
    lastLines: [
      { step: '30-test', stream: 'stdout' },
      { stream: 'stderr', text: /AssertionError/ },
    ],
  })
})

test('the pages follow the spool', async t => {
  const sandbox = new Sandbox(t)
  const { maker } = layShowcase(sandbox)
  const { url } = await serve(sandbox)
  const changes = eventsUntil(`${url}/events`, 'change', () => {
    maker.waitingTask('30:tables:v2:linux-x86_64')
  })
  t.match(await changes, /event: change/)
  const sees = async (text: string) => (await ask(`${url}/`, HTML)).body.includes(text)
  t.ok(await until(() => sees('href="/job/30"')))
  sandbox.ok('sh', ['-c', 'rm -r tasks/old/3:* jobs/old/3:*'], { cwd: sandbox.spool.root })
  t.ok(await until(async () => (await ask(`${url}/job/3`)).status === 404))
})

test('who knows the token cancels and retries, by form or directly', async t => {
  const sandbox = new Sandbox(t)
  layShowcase(sandbox)
  const { url } = await serve(sandbox, { REPORTER_TOKEN: TOKEN })
  const bearer = { authorization: `Bearer ${TOKEN}` }
  const task = sandbox.ls('spool/tasks/cur').find(name => name.startsWith('20:'))!

  t.equal((await post(`${url}/job/20/cancel`, {}, { authorization: 'Bearer wrong' })).status, 403)
  t.match(await post(`${url}/job/20/cancel`, {}, bearer), { status: 303, headers: { location: '/job/20' } })
  t.ok(sandbox.ls('spool/tasks/cur', task).includes('cancel'))

  t.match(await post(`${url}/job/15/retry`, {}, bearer), { status: 303, headers: { location: '/job/24' } })
  t.match(sandbox.ls('spool/tasks/cur').join(' '), /24:tables:\S+:linux-x86_64/)
  t.match(
    await post(`${url}/job/15/retry`, {}, bearer),
    { headers: { location: '/job/24' } },
    'once is enough',
  )
  t.match(await post(`${url}/job/8/retry`, {}, bearer), { headers: { location: '/job/25' } })
  t.match((await ask(`${url}/job/25`)).body, /Retry of[\s\S]*#9/, 'the end of the chain is what is retried')

  const same = { 'sec-fetch-site': 'same-origin' }
  t.equal((await post(`${url}/login`, { token: TOKEN }, { 'sec-fetch-site': 'cross-site' })).status, 403)
  const entered = await post(`${url}/login`, { token: TOKEN, back: '/job/16' }, same)
  const [set] = entered.headers['set-cookie'] as string[]
  t.match(set, /HttpOnly.*SameSite=Strict/)
  t.equal(entered.headers['location'], '/job/16')
  const cookie = { cookie: set!.split(';')[0]! }
  const word = /name="word" value="([^"]+)"/.exec(
    (await ask(`${url}/job/16`, { ...HTML, ...cookie })).body,
  )![1]!
  t.equal(
    (await post(`${url}/job/16/retry`, { word }, { ...cookie, 'sec-fetch-site': 'cross-site' })).status,
    403,
  )
  t.equal((await post(`${url}/job/16/retry`, {}, { ...cookie, ...same })).status, 403)
  t.equal((await post(`${url}/job/16/retry`, { word }, { ...cookie, ...same })).status, 303)
})

test('a name counts when a trusted proxy says it', async t => {
  const sandbox = new Sandbox(t)
  layShowcase(sandbox)
  const settings = {
    REPORTER_USER_HEADER: 'X-Remote-User',
    REPORTER_TRUSTED: '127.0.0.1',
    REPORTER_USERS: 'ada',
  }
  const { url } = await serve(sandbox, settings)
  const buttons = async (name: string) =>
    (await ask(`${url}/job/15`, { ...HTML, 'x-remote-user': name })).body.includes('<button>Retry')
  t.ok(await buttons('ada'))
  t.notOk(await buttons('mallory'))
})

test('where to listen is an address, a port, or both', async t => {
  t.same(parseListen('8010'), { host: '127.0.0.1', port: 8010 })
  t.same(parseListen('[::1]:80'), { host: '::1', port: 80 })
  t.same(parseListen(':80'), { host: '', port: 80 })
  t.same(parseListen('ci.example.org:8010'), { host: 'ci.example.org', port: 8010 })
  for (const text of ['', 'host', ':', '::1:80', '127.0.0.1:99999', 'a b:1'])
    t.equal(parseListen(text), undefined)
})

test('an empty spool says what to do, and a stop is no error', async t => {
  const sandbox = new Sandbox(t)
  sandbox.makeSpool()
  mkdirSync(sandbox.path('spool/revs'), { recursive: true })
  const { url, running } = await serve(sandbox)
  t.match((await ask(`${url}/`, HTML)).body, /Nothing has run yet/)
  t.match((await ask(`${url}/hosts`, HTML)).body, /No taker has been seen\./)
  t.match(await running.kill('SIGTERM'), { code: 0, signal: null })
})

/** Bytes that a process has in memory. */
function memory(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024
}

async function until(probe: () => Promise<boolean>): Promise<boolean> {
  let seen = false
  const look = async () => {
    while (!seen) {
      seen = await probe()
      if (!seen) await new Promise(done => setTimeout(done, 50))
    }
  }
  void look()
  return eventually('it is seen', () => seen)
}
