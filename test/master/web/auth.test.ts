import { test } from 'tap'

import { Fatal } from '../../../lib/base/exit.ts'
import { isSameOrigin, openAuth } from '../../../master/web/auth.ts'
import type { Auth, Sender } from '../../../master/web/auth.ts'
import { backTo } from '../../../master/web/pages/login-page.ts'

const TOKEN = 'correct horse battery'
const authWith = (settings: Record<string, string>): Auth => openAuth(settings)

function refusal(action: () => unknown): number | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    return error instanceof Fatal ? error.exitCode : undefined
  }
}

const sender = (headers: Record<string, string> = {}, cookie?: string, address = '127.0.0.1'): Sender => ({
  address,
  header: name => headers[name],
  cookie: () => cookie,
})

const SAME = { 'sec-fetch-site': 'same-origin' }

test('without settings everybody may only read', async t => {
  const auth = authWith({})
  t.equal(auth.form, false)
  t.equal(auth.login(''), undefined)
  t.same(auth.viewer(sender({ authorization: 'Bearer undefined', 'x-user': 'ada' }, 'a.9999999999999.b')), {})
})

test('the token opens a session that outlives the program and not the token', async t => {
  const cookie = authWith({ REPORTER_TOKEN: TOKEN }).login(TOKEN)
  t.ok(cookie)
  t.equal(authWith({ REPORTER_TOKEN: TOKEN }).viewer(sender({}, cookie)).name, 'token')
  t.same(authWith({ REPORTER_TOKEN: `${TOKEN}!` }).viewer(sender({}, cookie)), {})
  const [id, until, signature] = cookie!.split('.')
  const later = `${id!}.${Number(until) + 1}.${signature!}`
  t.same(
    authWith({ REPORTER_TOKEN: TOKEN }).viewer(sender({}, later)),
    {},
    'and not for longer than it was given',
  )
  t.equal(authWith({ REPORTER_TOKEN: TOKEN }).login(`${TOKEN}x`), undefined)
})

test('a token that could be guessed is refused', async t => {
  t.equal(
    refusal(() => authWith({ REPORTER_TOKEN: 'secret' })),
    100,
  )
})

test('a form of another site, or of another session, is not ours', async t => {
  const auth = authWith({ REPORTER_TOKEN: TOKEN })
  const [cookie, other] = [auth.login(TOKEN), auth.login(TOKEN)]
  const viewer = auth.viewer(sender({}, cookie))
  t.ok(auth.isOurs(sender(SAME, cookie), viewer, viewer.word))
  t.notOk(auth.isOurs(sender({ 'sec-fetch-site': 'cross-site' }, cookie), viewer, viewer.word))
  t.notOk(auth.isOurs(sender({ 'sec-fetch-site': 'same-site' }, cookie), viewer, viewer.word))
  t.notOk(auth.isOurs(sender({}, cookie), viewer, viewer.word))
  t.notOk(auth.isOurs(sender(SAME, cookie), viewer, undefined))
  t.notOk(auth.isOurs(sender(SAME, cookie), viewer, auth.viewer(sender({}, other)).word))
})

test('an older browser is believed by the origin it names', async t => {
  t.ok(isSameOrigin(sender({ origin: 'https://ci.example.org', host: 'ci.example.org' })))
  t.notOk(isSameOrigin(sender({ origin: 'https://evil.example', host: 'ci.example.org' })))
  t.notOk(isSameOrigin(sender({ origin: 'null', host: 'null' })))
})

test('who sends the token itself needs no form', async t => {
  const auth = authWith({ REPORTER_TOKEN: TOKEN })
  const direct = sender({ authorization: `Bearer ${TOKEN}` })
  t.ok(auth.isOurs(direct, auth.viewer(direct), undefined))
  t.same(auth.viewer(sender({ authorization: 'Bearer wrong' })), {})
})

test('a name counts only from a trusted address, and only if it is one of those allowed', async t => {
  const proxy = { REPORTER_USER_HEADER: 'x-user', REPORTER_TRUSTED: '127.0.0.1 10.1.0.0/16 ::1' }
  const auth = authWith(proxy)
  const nameFrom = (auth: Auth, address: string) =>
    auth.viewer(sender({ 'x-user': 'ada' }, undefined, address)).name
  for (const address of ['127.0.0.1', '::ffff:127.0.0.1', '10.1.2.3', '::1']) {
    t.equal(nameFrom(auth, address), 'ada', address)
  }
  for (const address of ['10.2.0.1', '::2', '', 'nonsense'])
    t.equal(nameFrom(auth, address), undefined, address)
  t.equal(nameFrom(authWith({ ...proxy, REPORTER_USERS: 'grace' }), '127.0.0.1'), undefined)
  t.equal(
    refusal(() => authWith({ REPORTER_USER_HEADER: 'x-user' })),
    100,
  )
  t.equal(
    refusal(() => authWith({ ...proxy, REPORTER_TRUSTED: 'localhost' })),
    100,
  )
})

test('after logging in one goes back to this site and to no other', async t => {
  t.equal(backTo('/job/12?x=1'), '/job/12?x=1')
  for (const path of [undefined, '', 'https://evil/', '//evil/', '/\\evil', 'job', '/a b'])
    t.equal(backTo(path), '/')
})
