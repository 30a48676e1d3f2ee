import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { test } from 'tap'
import type { Test } from 'tap'

import { mailDeliverer, tryMailer } from '../../../master/notify/mail.ts'
import { mailOf } from '../../../master/notify/mail-text.ts'
import type { Notice } from '../../../master/notify/notice.ts'
import { Notified } from '../../fixtures/notified.ts'
import { bodyOf, header, PostOffice } from '../../fixtures/receivers.ts'
import { eventually, lacks } from '../../fixtures/sandbox.ts'

const FAILED = {
  steps: [
    { name: '10-build', exit: '0' },
    {
      name: '20-test',
      exit: '1',
      stdout: ['1 ok', '\x1b[31m2 not ok\x1b[0m'],
      stderr: ['ünder <b>here</b>'],
    },
  ],
}

test('a mail says what failed, its last lines, who wrote and pushed what, a link, and stands with the others of its ref', async t => {
  const office = await PostOffice.open(t, { disabledCommands: ['STARTTLS', 'AUTH'] })
  const site = new Notified(t, {
    NOTIFY_MAIL: 'ada@example.org failures:bob@example.org',
    NOTIFY_MAILER: `smtp://127.0.0.1:${office.port}`,
    NOTIFY_FROM: 'BASS <ci@example.org>',
    REPORTER_URL: 'https://ci.example.org',
    PROJ: '',
  })
  site.ok('git', ['init', '-q', '-b', 'main', 'code'])
  const commit = (subject: string) => {
    site.ok('git', ['commit', '-q', '--allow-empty', '-m', subject], { cwd: 'code' })
    return { revision: site.git(site.path('code'), 'rev-parse', 'HEAD') }
  }
  writeFileSync(site.path('spool/conf/hello/rc'), `PROJ='${site.path('code')}'\n`, { flag: 'a' })
  await site.notifier()
  site.end('success', commit('works'))
  const between = commit('between')
  site.end('failure', { ...FAILED, ...commit('breaks it'), params: { PUSHER: 'grace' } })
  site.end('failure', { ...FAILED, ...commit('not yet') })
  site.end('success', commit('mends it'))
  await site.settled()
  const to = (address: string) => office.letters.filter(letter => letter.to.includes(address))
  const [broken, mended, ...more] = to('ada@example.org')
  t.same(more, [])
  t.equal(to('bob@example.org').length, 2)

  t.equal(header(broken!, 'subject'), '[hello] failure: main, v2, linux-x86_64')
  t.equal(header(broken!, 'from'), 'BASS <ci@example.org>')
  t.equal(broken!.from, 'ci@example.org')
  t.equal(header(broken!, 'auto-submitted'), 'auto-generated')
  t.match(header(broken!, 'message-id'), /^<2\.over\.[0-9a-f]{16}@example\.org>$/)
  t.equal(header(broken!, 'message-id'), `<${header(broken!, 'x-bass-delivery')}@example.org>`)
  const body = bodyOf(broken!)
  t.match(body, 'hello v2 on linux-x86_64 ended after 3.0s with failure: 20-test (exit 1).')
  t.match(body, 'It is the first failure of main on linux-x86_64; 2 commits since.')
  t.match(body, '\npusher    grace\n')
  t.match(body, 'breaks it\n           Ada <ada@example.org>')
  t.match(body, `${between.revision.slice(0, 10)} between`)
  t.match(body, 'The end of 20-test:\n\n    1 ok\n    ünder <b>here</b>\n    2 not ok\n')
  t.match(body, 'page      https://ci.example.org/job/2\n')
  t.equal(header(mended!, 'subject'), '[hello] mended: main, v4, linux-x86_64')

  const thread = header(broken!, 'references')
  t.match(thread, /^<hello\.[0-9a-f]{16}@example\.org>$/)
  t.equal(header(mended!, 'references'), thread)
  t.equal(header(mended!, 'in-reply-to'), thread)
  t.not(header(mended!, 'message-id'), header(broken!, 'message-id'))
})

test('what others wrote makes no header and drives no terminal', async t => {
  const hostile = 'x\r\nBcc: eve@example.org\x1b]0;owned\x07\u202e'
  const task = { name: 'n', num: 1, project: 'p', version: 'v', arch: 'a', host: null, ref: hostile, params: { k: hostile }, revision: null, job: { verdict: 'error', error: hostile, steps: [], seconds: 1 } } // prettier-ignore
  const lastLines = [{ step: hostile, stream: 'stdout', time: 0, text: hostile }]
  const commits = [{ revision: 'r', author: hostile, email: hostile, subject: hostile, time: 0 }]
  const notice = { id: 'i', stage: 'over', at: 0, change: 'broken', url: null, task, commits, lastLines }
  const { subject, text } = mailOf(notice as unknown as Notice, 'ci@example.org')
  t.notMatch(subject, /\p{Cc}/u)
  t.notMatch(text.replaceAll('\n', ''), /\p{Cc}|\u202e/u)
  t.notMatch(text, /^Bcc/m)
})

test(
  'a password goes over TLS only, and is neither in a log nor in a list of processes',
  { skip: lacks('openssl') },
  async t => {
    const password = 'correct horse battery staple'
    const site = new Notified(t)
    site.ok('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-keyout', 'key.pem', '-out', 'cert.pem']) // prettier-ignore
    const [key, cert] = ['key.pem', 'cert.pem'].map(name => readFileSync(site.path(name)))
    let tried = 0
    const office = await PostOffice.open(t, {
      key: key!,
      cert: cert!,
      authOptional: false,
      onAuth: (auth, _session, answer) => {
        tried++
        if (auth.password === password) answer(null, { user: auth.username! })
        else answer(new Error(`no: ${auth.password ?? ''}`))
      },
    })
    writeFileSync(site.path('password'), `${password}\n`, { mode: 0o600 })
    const settings = {
      NOTIFY_MAIL: 'ada@example.org',
      NOTIFY_MAILER: `smtp://ci%40example.org@localhost:${office.port}`,
      NOTIFY_PASSWORD_FILE: site.path('password'),
    }
    site.configure(settings)
    const trusting = { NODE_EXTRA_CA_CERTS: site.path('cert.pem') }
    const suspicious = await site.notifier()
    site.end('failure')
    await eventually('the certificate is not trusted', () => suspicious.stderr().includes('unable to tell'))
    t.equal(tried, 0)
    await suspicious.kill('SIGTERM')

    writeFileSync(site.path('password'), 'wrong\n')
    const wrong = await site.notifier(trusting)
    await eventually('the password is refused', () => wrong.stderr().includes('unable to tell'))
    await wrong.kill('SIGTERM')
    t.equal(office.letters.length, 0)

    writeFileSync(site.path('password'), `${password}\n`)
    const right = await site.notifier(trusting)
    await eventually('the letter is there', () => office.letters.length === 1)
    t.equal(office.letters[0]!.user, 'ci@example.org')
    t.notMatch(readFileSync(`/proc/${right.pid}/cmdline`, 'utf8'), password)
    await right.kill('SIGTERM')
    for (const { stderr, stdout } of [suspicious, wrong, right]) t.notMatch(stderr() + stdout(), password)

    site.configure({ ...settings, NOTIFY_MAILER: `smtp://ci:secret@localhost:${office.port}` })
    t.match(site.run('master/bin/notifier').stderr, /it holds a password; that is for NOTIFY_PASSWORD/)
  },
)

test('a letter that is refused lets the next one pass, and is tried again', async t => {
  const office = await PostOffice.open(t, { disabledCommands: ['STARTTLS', 'AUTH'] })
  let refused = 0
  office.accepts = raw => !raw.includes('failure: main, v1,') || refused++ > 0
  const site = new Notified(t, {
    NOTIFY_MAIL: 'failures:ada@example.org',
    NOTIFY_MAILER: `smtp://127.0.0.1:${office.port}`,
  })
  await site.notifier()
  for (let i = 0; i < 2; i++) site.end('failure')
  await site.settled()
  t.same(
    office.letters.map(letter => /v\d/.exec(header(letter, 'subject'))?.[0]),
    ['v2', 'v1'],
  )
})

test('without a server it is the sendmail of this host that sends', async t => {
  const site = new Notified(t)
  const sendmail = site.path('sendmail')
  writeFileSync(sendmail, `#!/bin/sh\necho "$@" >>'${site.path('args')}'; cat >>'${site.path('mail')}'\n`, {
    mode: 0o755,
  })
  site.configure({ NOTIFY_MAIL: 'ada@example.org', NOTIFY_MAILER: sendmail })
  await site.notifier()
  site.end('failure')
  await site.settled()
  t.match(readFileSync(site.path('args'), 'utf8'), /-f bass@testhost ada@example\.org/)
  t.match(readFileSync(site.path('mail'), 'utf8'), /^Subject: \[hello\] failure: main, v1, linux-x86_64\r?$/m)
})

test('letters that no program takes: a message names it', async t => {
  const site = new Notified(t, { NOTIFY_MAIL: 'ada@example.org', NOTIFY_MAILER: '/no/sendmail' })
  const notifier = await site.notifier()
  site.end('failure')
  await eventually('a warning', () =>
    /unable to send by '\/no\/sendmail': no such file or directory/.test(notifier.stderr()),
  )
})

test('a server that answers drop by drop is away when its time is over, for a letter and for who only tries it', async t => {
  const office = await PostOffice.open(t, { disabledCommands: ['STARTTLS', 'AUTH'] })
  const port = await dripping(t, office.port)
  const env = { NOTIFY_MAILER: `smtp://127.0.0.1:${port}`, NOTIFY_FROM: 'ci@example.org' }
  const task = { name: 'n', num: 1, project: 'p', version: 'v', arch: 'a', host: null, ref: null, params: {}, revision: null, job: null } // prettier-ignore
  const notice = { id: 'i', stage: 'over', at: 0, change: null, url: null, task, commits: [], lastLines: [] }
  const deliver = mailDeliverer({ target: 'ada@example.org' }, env, 300)
  await t.rejects(deliver(notice as unknown as Notice, ''), {
    message: `unable to send by '${env.NOTIFY_MAILER}': it takes longer than 0.3s`,
  })
  await t.rejects(tryMailer(env, 300), { message: 'it takes longer than 0.3s' })
  t.same(office.letters, [])
})

/** A server in front of that at `port`, through which one byte of each answer comes every 50 ms; answers its port. */
async function dripping(t: Test, port: number): Promise<number> {
  const server = createServer(client => {
    const office = connect(port, '127.0.0.1').on('error', () => undefined)
    client.on('error', () => undefined).pipe(office)
    let said = Buffer.alloc(0)
    office.on('data', (part: Buffer) => (said = Buffer.concat([said, part])))
    const drip = setInterval(() => {
      if (said.length > 0) client.write(said.subarray(0, 1))
      said = said.subarray(1)
    }, 50)
    client.on('close', () => {
      clearInterval(drip)
      office.destroy()
    })
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

test('each line of a Testfile is told of by itself, in whichever order they end', async t => {
  const office = await PostOffice.open(t, { disabledCommands: ['STARTTLS', 'AUTH'] })
  const site = new Notified(t, {
    NOTIFY_MAIL: 'ada@example.org',
    NOTIFY_MAILER: `smtp://127.0.0.1:${office.port}`,
  })
  await site.notifier()
  const [lint, unit] = [{ label: 'sdk lint' }, { label: 'sdk/go unit' }]
  site.end('failure', lint)
  site.end('success', unit)
  site.end('failure', unit)
  site.end('success', lint)
  await site.settled()
  const subjects = office.letters.map(letter => header(letter, 'subject'))
  t.same(subjects, [
    '[hello] failure: sdk lint, main, v1, linux-x86_64',
    '[hello] failure: sdk/go unit, main, v3, linux-x86_64',
    '[hello] mended: sdk lint, main, v4, linux-x86_64',
  ])
  t.match(bodyOf(office.letters[2]!), 'the last verdict of sdk lint of main on linux-x86_64 before')
})
