// What people look for on the pages: subjects, branches, what is to come, line numbers, what is around a find.

import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { test } from 'tap'

import { formatLabel } from '../../lib/base/tai64n.ts'
import { ask, serve } from '../fixtures/browser.ts'
import { Sandbox } from '../fixtures/sandbox.ts'
import { layShowcase } from '../fixtures/showcase.ts'
import { NOON, SpoolMaker } from '../fixtures/spool-maker.ts'

const HTML = { accept: 'text/html' }
/** A page as a person reads it: without what is between < and >, white space as one. */
const read = (html: string) =>
  html
    .replace(/<style[^]*?<\/style>|<[^>]*>/g, ' ')
    .replace(/&amp;/g, '&')
    .replace(/\s+/g, ' ')

test('the front page tells subjects, branches, projects and steps by their names', async t => {
  const sandbox = new Sandbox(t)
  const { repository } = layShowcase(sandbox)
  const { url } = await serve(sandbox, {
    PROJ: repository,
    REVS: `${sandbox.spool.revs}/tables`,
    LOST_AFTER: '600',
  })
  const front = (await ask(url, HTML)).body
  const text = read(front)
  t.match(text, /Now .*#20 tables cache: forget what nobody asked for main linux-x86_64 in 30-test on mill/)
  t.match(text, /✗ tables : failed ✓ website : passed/, 'each project on its tab')
  t.match(text, /website main : queued .*tables main : running .*tables notes : failed/, 'the newest first')
  t.match(text, /✓ 10-configure passed 2\.1s ✓ 20-build passed 41s/)
  const project = read((await ask(`${url}/project/tables`, HTML)).body)
  t.match(
    project,
    /Branches and changes .*main ▸ running was . \w+ cache: forget what nobody asked for .*notes ✗ failed docs: explain/,
  )
  const running = read((await ask(`${url}/job/20`, HTML)).body)
  t.match(running, /Usually it takes 1m 51s : it (may end at|is late)/)
  t.match(running, /30-test ▸ running .*40-package to come about 3\.3s/)
  t.match(running, /Queued for 3\.0s Started /)
  t.match(running, /To cancel: bass cancel 20 ; here, once REPORTER_TOKEN is set/)
  const hosts = read((await ask(`${url}/hosts`, HTML)).body)
  t.match(
    hosts,
    /mill ▸ busy linux-x86_64 #20 seen (now|\d+ s ago) load 0\.3 of 2, 11 GiB of 37 GiB free 0\.1\.0/,
  )
  t.notMatch(hosts, /\/slots|\/var/, 'where on its host is for those who may know')
})

test('commands and pages count the time of a job from the same moment', async t => {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool('p'))
  // Minutes are rounded, so half of one may pass; its first step began long after its claim.
  const claimed = Date.now() - (2 * 60 + 7) * 60_000
  maker.runningJob('2:p:v2:a', { claimed, steps: [{ name: '10-x', stdout: ['late'], from: 2400 }] })
  const step = { name: '10-x', exit: '0', from: 3000, to: 3060 }
  maker.finishedJob('1:p:v1:a', { claimed, ended: claimed + 3_960_000, steps: [step] })
  const { url } = await serve(sandbox, { REVS: `${sandbox.spool.revs}/p`, LOST_AFTER: '90000' })
  const page = async (path: string) => (await ask(url + path, HTML)).body
  const bass = (...argv: string[]) => sandbox.ok('bin/bass', argv, { env: { LOST_AFTER: '90000' } })
  t.match(bass('status'), /^ *2 .* 2h 07m /m)
  t.match(bass('show', '2'), /running for 2h 07m/)
  t.match(bass('log', '2'), /^ *2400\.000 \| late$/m)
  for (const path of ['/', '/job/2']) {
    const html = await page(path)
    t.match(read(html), /2h 07m/, path)
    t.match(html, `data-since="${claimed}"`, `${path}: what counts on in the browser`)
  }
  t.match(bass('status'), /^ *1 .* 1h 06m /m)
  t.match(bass('show', '1'), /success in 1h 06m/)
  t.match(read(await page('/job/1')), /1h 06m/)
})

test('changes are found by number, title and author, revisions by any part of their id', async t => {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool('p'))
  const change = (number: string, title: string, author: string) => ({
    ref: `refs/pull/${number}/head`,
    params: { CHANGE: number, TITLE: title, AUTHOR: author },
  })
  maker.finishedJob('1:p:v1:a', {
    ...change('12', 'Fix the Frobnicator', 'ada'),
    revision: 'abcdef12'.padEnd(40, '0'),
  })
  maker.finishedJob('2:p:v2:a', { ...change('120', 'Other', 'grace'), revision: 'abcdef13'.padEnd(40, '0') })
  maker.finishedJob('3:p:v3:a', { revision: 'fedc'.padEnd(40, '0') })
  const { url } = await serve(sandbox)
  t.match((await ask(`${url}/project/p`, HTML)).body, /<table class="revisions one">/, 'one architecture')
  const found = async (q: string) => {
    const { body } = await ask(`${url}/project/p?q=${encodeURIComponent(q)}`, HTML)
    return [...body.matchAll(/class="what" href="\/job\/(\d+)"/g)].map(([, num]) => Number(num))
  }
  t.same(await found('12'), [1], 'a number is a number')
  t.same(await found('#120'), [2])
  t.same(await found('frobnic'), [1])
  t.same(await found('GRACE'), [2])
  t.same(await found('abcdef13'.padEnd(40, '0')), [2])
  t.same(await found('abcdef1'), [2, 1])
  t.same(await found('fedc'), [3])
  t.same(await found('v3'), [3])
  t.same(await found('nothing of the kind'), [])
})

test('a log has numbers, links and what is around a find; a job is one text', async t => {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool('p'))
  const step = (name: string) => ({ name, exit: '0', from: 0, to: 2, stdout: ['x'] })
  const job = maker.finishedJob('1:p:v1:a', { steps: [step('10-a'), step('20-b')] })
  const line = (i: number) =>
    `${formatLabel(NOON + i)} line ${i}${i === 1500 ? ' see (https://ci.example.org/a?b=<c>&d). needle' : ''}\n`
  writeFileSync(join(job, 'steps/10-a/stdout.txt'), '')
  for (let i = 1; i <= 3000; i++) appendFileSync(join(job, 'steps/10-a/stdout.txt'), line(i))
  const { url } = await serve(sandbox)
  const log = `${url}/job/1/log/10-a`
  const numbers = (html: string) =>
    [...html.matchAll(/data-number="(\d+)">.*?<span>line (\d+)/g)].map(([, a, b]) => [Number(a), Number(b)])
  const first = (await ask(log, HTML)).body
  t.equal(numbers(first).length, 1000)
  t.ok(numbers(first).every(([number, said]) => number === said))
  const middle = numbers((await ask(`${log}?part=50`, HTML)).body)
  t.ok(middle.length > 0 && middle.every(([number, said]) => number === said), 'also of a part of it')
  const more = JSON.parse((await ask(`${log}/lines?from=40000,0`)).body) as { html: string }
  t.ok(numbers(more.html).length > 0)

  const find = (await ask(`${log}?q=needle`, HTML)).body
  t.match(read(find), /1 line with needle .*line 1498 .*line 1499 .*line 1500 see .*line 1501 .*line 1502 /)
  t.notMatch(find, /line 1503|line 1497/)
  const linked = (
    await ask(`${log}?line=${/id="(o\d+)"[^>]*>(?:(?!<li)[^])*?<mark>needle/.exec(find)![1]!}`, HTML)
  ).body
  t.match(
    linked,
    /\(<a href="https:\/\/ci\.example\.org\/a\?b=" rel="nofollow noreferrer">https:[^<]*<\/a>&lt;c&gt;&amp;d\)\./,
  )
  t.match(read(first), /Next step: ✓ 20-b The whole job as text/)

  const whole = (await ask(`${url}/job/1/log`)).body
  t.match(whole, /^== 10-a: success\n@\S+ line 1\n[^]*line 3000\n== 20-b: success\n@\S+ x\n$/)
  t.equal((await ask(`${url}/job/99/log`)).status, 404)
})

test('artifacts show pictures and the beginning of texts', async t => {
  const sandbox = new Sandbox(t)
  new SpoolMaker(sandbox.makeSpool('p')).finishedJob('1:p:v1:a', {
    artifacts: {
      'notes.txt': '<b>hello</b>\x1b[2J\nmore',
      'plot.png': 'x',
      'a.out': '\x7fELF',
      'long.log': 'y'.repeat(9000),
    },
  })
  const { url } = await serve(sandbox)
  const { body } = await ask(`${url}/job/1/artifacts/`, HTML)
  t.match(body, /<img src="\/job\/1\/artifacts\/plot\.png" alt="plot\.png"/)
  t.match(body, /<summary>notes\.txt<\/summary>\s*<pre[^>]*>&lt;b&gt;hello&lt;\/b&gt;\nmore/)
  t.notMatch(body, /<summary>a\.out|y{8193}/)
  t.match(body, /href="\/job\/1\/artifacts\.tar"/)
})

test('a front page stays small, however many refs were seen once', async t => {
  const sandbox = new Sandbox(t)
  const { tasks, jobs } = sandbox.makeSpool('p')
  const finish = (i: number) => {
    const name = `${i}:p:v${i}:a`
    for (const { old } of [tasks, jobs]) mkdirSync(join(old, name))
    writeFileSync(join(tasks.old, name, 'ref.txt'), `refs/heads/once-${i}\n`)
    writeFileSync(join(tasks.old, name, 'code-revision.txt'), `${i.toString(16).padStart(40, '0')}\n`)
    writeFileSync(join(jobs.old, name, 'result.txt'), 'success\n')
  }
  const sizes = async () => {
    const { url, running } = await serve(sandbox)
    const size = async (path: string): Promise<number> => {
      const { body } = await ask(url + path, HTML)
      if (!body.includes('Still reading')) return Buffer.byteLength(body)
      await new Promise(done => setTimeout(done, 50))
      return size(path)
    }
    const found = [await size('/'), await size('/project/p')]
    await running.kill('SIGTERM')
    return found
  }
  for (let i = 1001; i <= 1050; i++) finish(i)
  const few = await sizes()
  for (let i = 1051; i <= 2050; i++) finish(i)
  const many = await sizes()
  t.ok(Math.max(...few) < 100_000, `${few.join(', ')} bytes`)
  for (const i of [0, 1])
    t.ok(many[i]! < few[i]! * 1.25, `${many.join(', ')} bytes of 1,050 refs; ${few.join(', ')} of 50`)
})
