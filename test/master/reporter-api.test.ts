// What programs get from the pages is what the verbs print.

import { test } from 'tap'

import { ask, serve } from '../fixtures/browser.ts'
import { Sandbox } from '../fixtures/sandbox.ts'
import { layShowcase } from '../fixtures/showcase.ts'

const TOKEN = 'correct horse battery'

/** Without when it was said. */
const timeless = (text: string) => ({ ...(JSON.parse(text) as object), now: null })

test('/api says what --json prints, to whom may know all of it', async t => {
  const sandbox = new Sandbox(t)
  const { repository } = layShowcase(sandbox)
  const env = { PROJ: repository, REVS: `${sandbox.spool.revs}/tables`, LOST_AFTER: '600' }
  const { url } = await serve(sandbox, { ...env, REPORTER_TOKEN: TOKEN })
  const asked = async (path: string) =>
    timeless((await ask(url + path, { authorization: `Bearer ${TOKEN}` })).body)
  const printed = (...argv: string[]) => timeless(sandbox.ok('bin/bass', argv, { env }))
  t.same(await asked('/api/status'), printed('status', '--json'))
  t.same(await asked('/api/status/website'), printed('status', '--json', 'website'))
  for (const num of ['8', '9', '13', '15', '16', '20', '21']) {
    t.same(await asked(`/api/show/${num}`), printed('show', '--json', num), num)
  }
})

test('a name that is not its own is not answered, so that no page of a stranger reads here', async t => {
  const sandbox = new Sandbox(t)
  layShowcase(sandbox)
  const { url } = await serve(sandbox, { REPORTER_URL: 'https://ci.example.org' })
  const status = async (host: string) => (await ask(`${url}/api/status`, { host })).status
  t.equal(await status('evil.example.com'), 421)
  t.equal(await status('ci.example.org'), 200)
  t.equal(await status('CI.Example.org'), 200, 'names are compared without regard to case')
  t.equal(await status(new URL(url).host), 200)
})
