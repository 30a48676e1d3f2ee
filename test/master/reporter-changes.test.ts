// Changes and checks on the pages, and approving what is held.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { formatParams } from '../../lib/spool/event.ts'
import { ask, post, serve } from '../fixtures/browser.ts'
import { Sandbox } from '../fixtures/sandbox.ts'
import { SpoolMaker } from '../fixtures/spool-maker.ts'

const TOKEN = 'correct horse battery'
const HTML = { accept: 'text/html' }
const HEAD = 'refs/pull/7/head'
const ONE = '1'.repeat(40)
const EVIL = '</a><script>alert(1)</script>"\'\u202e & more'
const SAFE = '&lt;/a&gt;&lt;script&gt;alert(1)&lt;/script&gt;'

function hold(sandbox: Sandbox, ref: string, revision: string, params: Record<string, string>): void {
  const directory = join(sandbox.spool.root, 'held', 'hello', ref)
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, revision), formatParams(params))
}

const held = (sandbox: Sandbox) => {
  hold(sandbox, HEAD, ONE, {
    CHANGE: '7',
    TITLE: EVIL,
    AUTHOR: `mallory ${EVIL}`,
    URL: 'javascript:alert(1)',
    TOUCHES: `.bass/10 ${EVIL}`,
  })
  hold(sandbox, 'refs/pull/8/head', '2'.repeat(40), { CHANGE: '8', TITLE: 'Tidy up', AUTHOR: 'grace' })
}

test('each check has its own line by its name, and only its own attempts count for it', async t => {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool())
  const params = { CHANGE: '7', TITLE: `Fix ${EVIL}`, AUTHOR: 'grace<i>' }
  const facts = { ref: HEAD, params }
  maker.finishedJob('1:hello:v1:x86', { ...facts, label: 'sdk unit', verdict: 'failure' })
  for (let num = 2; num < 10; num++)
    maker.finishedJob(`${num}:hello:v1:x86`, { ...facts, label: `web ${num} ${EVIL}` })
  maker.waitingTask('10:hello:v2:x86', { ...facts, label: 'sdk unit' })
  maker.finishedJob('11:other:v1:x86', { params: { CHANGE: '1<b>', TITLE: 'no number' } })
  const { url } = await serve(sandbox)

  for (const path of ['/', '/project/hello', '/job/1', '/job/10']) {
    const { status, body } = await ask(url + path, HTML)
    t.equal(status, 200, path)
    t.ok(body.includes(`#7 <bdi>Fix ${SAFE}`), `${path} shows the change`)
    t.ok(body.includes('grace&lt;i&gt;'), `${path} shows who made it`)
    t.ok(body.includes('sdk unit'), `${path} shows the check`)
    t.notMatch(body, /<script>|\u202e|no number|<i>/)
  }
  const { body } = await ask(`${url}/project/hello`, HTML)
  for (let num = 1; num < 10; num++) {
    t.match(body, new RegExp(`href="/job/${num}"`))
    t.ok(num === 1 || body.includes(`<bdi>web ${num} ${SAFE}`))
  }
  t.notMatch(body, /before:/, 'other checks are no earlier attempts')
  t.match(
    body,
    /id="refs"[^]*class="state s-failure"[^]*id="revisions"/,
    'the change failed, although what was made last passed',
  )
  t.match((await ask(`${url}/project/hello/badge.svg`)).body, /failed/)
})

test('held changes are listed, in red what they touch, for those who may act with a button', async t => {
  const sandbox = new Sandbox(t)
  sandbox.makeSpool()
  held(sandbox)
  const { url } = await serve(sandbox, { REPORTER_TOKEN: TOKEN })
  const bearer = { authorization: `Bearer ${TOKEN}` }
  for (const path of ['/', '/project/hello']) {
    const { body } = await ask(url + path, HTML)
    t.match(body, /#7<\/span>[^]*mallory[^]*#8<\/span>[^]*Tidy up[^]*grace/)
    t.ok(body.includes(`<strong class="s-error">changes .bass/10 ${SAFE}`))
    t.equal(body.match(/class="s-error">changes/g)?.length, 1, 'the other touches nothing')
    t.notMatch(body, /<script>|\u202e|javascript:|Approve/)
    const may = (await ask(url + path, { ...HTML, ...bearer })).body
    t.equal(may.match(/<button>Approve/g)?.length, 2)
    t.ok(may.includes(`action="/project/hello/approve/7/${ONE}"`))
  }
})

test('a change is approved once, by somebody who may act, and at that head only', async t => {
  const sandbox = new Sandbox(t)
  sandbox.makeSpool()
  held(sandbox)
  const { url } = await serve(sandbox, { REPORTER_TOKEN: TOKEN })
  const action = `${url}/project/hello/approve/7/${ONE}`
  const events = () => sandbox.ls('spool/revs/hello')
  const same = { 'sec-fetch-site': 'same-origin' }
  t.equal((await post(action, {})).status, 403)
  const login = await post(`${url}/login`, { token: TOKEN, back: '/' }, same)
  const cookie = login.headers['set-cookie']![0]!.split(';')[0]!
  const word = /name="word" value="([^"]+)"/.exec((await ask(`${url}/`, { ...HTML, cookie })).body)![1]!
  t.equal((await post(action, {}, { ...same, cookie })).status, 403, 'without the word of the form')
  t.equal((await post(action, { word }, { cookie, 'sec-fetch-site': 'cross-site' })).status, 403)
  for (const other of [`hello/approve/7/${'3'.repeat(40)}`, `hello/approve/8/${ONE}`, `x/approve/7/${ONE}`])
    t.equal((await post(`${url}/project/${other}`, { word }, { ...same, cookie })).status, 409, other)
  t.same(events(), [])
  t.match(await post(action, { word }, { ...same, cookie }), {
    status: 303,
    headers: { location: '/project/hello' },
  })
  t.same(sandbox.ls(`spool/revs/hello/${HEAD}`), [ONE])
  t.equal((await post(action, { word }, { ...same, cookie })).status, 409, 'the second time')
  const { body } = await ask(`${url}/project/hello`, HTML)
  t.notMatch(body, /mallory/)
  t.match(body, /Tidy up/)
})
