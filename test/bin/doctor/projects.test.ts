import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { PostOffice } from '../../fixtures/receivers.ts'
import { eventually, ROOT, Sandbox } from '../../fixtures/sandbox.ts'
import { checkChannels } from '../../../bin/doctor/channels.ts'
import { checkRepositories } from '../../../bin/doctor/repositories.ts'
import { checkSecretFiles, checkSecretSettings } from '../../../bin/doctor/secrets.ts'
import { readSettingsFiles } from '../../../bin/doctor/settings-files.ts'
import { settingNames } from '../../../lib/conf/setting-names.ts'
import { filled } from '../../../lib/conf/sourced.ts'

/** A spool with a project and its hook, and what doctor finds wrong with it, as `CHECK SUBJECT: TEXT`. */
function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  sandbox.ok('git', ['init', '-q', '--bare', 'hello.git'])
  sandbox.ok('bin/bass', ['init', 'spool', '--project', 'hello', '--code', 'hello.git', '--hook'])
  const [common, rc] = [sandbox.path('spool/conf/rc'), sandbox.path('spool/conf/hello/rc')]
  const { spool } = sandbox
  /** As `bass doctor` does, in this process. */
  const findings = async () => {
    const before = process.env
    process.env = { ...sandbox.env, BASS_ROOT: ROOT }
    try {
      process.env = filled(spool.root, process.env)
      const { projects, findings } = readSettingsFiles(spool, settingNames())
      return [
        ...findings,
        ...checkRepositories(spool, projects, true),
        ...checkSecretFiles(projects),
        ...checkSecretSettings(spool, projects),
        ...(await checkChannels(spool, projects)),
      ]
    } finally {
      process.env = before
    }
  }
  const wrong = async () =>
    (await findings())
      .filter(({ ok }) => !ok)
      .map(({ check, subject, text }) => `${check} ${subject}: ${text}`)
  return { sandbox, common, rc, findings, wrong }
}

test('each settings file is read: names that nobody knows, and values that nobody can read', async t => {
  const { sandbox, common, rc, wrong } = make(t)
  t.same(await wrong(), [])
  appendFileSync(common, 'LOST_AFTR=60\nhelper=1\nMINE=1; LINE_TIMEOUT=$MINE\nexport OF_A_STEP=x\n')
  appendFileSync(
    rc,
    "STEP_TIMEOUT='a while'\nNOTIFY_MIAL=ada@example.org\nUNHEARD_OF=1\nARCHS='a-1 b/2'\nLFS=maybe\nSTEP_USER=nosuch\n",
  )
  t.same(await wrong(), [
    `setting LOST_AFTR in ${common}: there is no such setting; did you mean LOST_AFTER?`,
    `setting NOTIFY_MIAL in ${rc}: there is no such setting; did you mean NOTIFY_MAIL?`,
    `setting UNHEARD_OF in ${rc}: there is no such setting; no program sees it`,
    "setting ARCHS of hello: unable to read the setting ARCHS: 'b/2' is neither ARCH nor ARCH:HOST",
    "setting LFS of hello: unable to read the setting LFS: 'maybe' is not one of yes, no",
    "setting STEP_TIMEOUT of hello: unable to read the setting STEP_TIMEOUT: 'a while' is not a time such as 90, 30s, 10m, 24h or 7d",
    "setting STEP_USER of hello: unable to read the setting STEP_USER: there is no user 'nosuch' on this host",
  ])
  writeFileSync(rc, 'if true; then\n')
  t.match(await wrong(), [
    /LOST_AFTR/,
    new RegExp(`^setting ${rc}: unable to read the settings of '${rc}': `),
  ])
  const { code, stdout } = sandbox.run('bin/bass', ['doctor'])
  t.equal(code, 1)
  t.match(stdout, `WRONG  setting LOST_AFTR in ${common}: there is no such setting; did you mean LOST_AFTER?`)
})

test('values of every kind are tried, in a project as anywhere', async t => {
  const { rc, wrong } = make(t)
  const [own] = [readFileSync(rc, 'utf8')]
  const table: [string, RegExp][] = [
    ['line_timeout=3', /setting line_timeout in .*: there is no such setting; did you mean LINE_TIMEOUT\?/],
    ['PROJECT=other', /setting PROJECT of hello: it is 'other'/],
    ["HOST='a b'", /'a b' is no name of letters/],
    ["STEP_ENV='A B-C'", /'B-C' is no name of a variable/],
    ['SECRETS=1A', /'1A' is no name of a variable/],
    ["COMPRESSOR='nosuch -1'", /there is no program 'nosuch' on this host/],
    ['CONTAINER=nosuch', /there is no program 'nosuch' on this host/],
    ['REPORTER_TRUSTED=10.0.0.0/33', /'10.0.0.0\/33' is no address such as 127.0.0.1 or 10.0.0.0\/8/],
    ['FARMER_URL=ci.example.org', /'ci.example.org' is no address such as/],
    ['S3_ENDPOINT=s3', /'s3' is no address/],
    ['JCI_PIDS=many', /'many' is not a whole number/],
    ['DATABASE_URL=mysql://me:hunter2@h/d', /DATABASE_URL: '\*\*\*' is no address such as postgres:/],
  ]
  for (const [line, why] of table) {
    writeFileSync(rc, `${own}${line}\n`)
    const found = (await wrong()).filter(text => text.startsWith('setting'))
    t.match(found, [why], line)
    t.equal(found.length, 1, line)
  }
  writeFileSync(rc, `${own}REPORTER_TOKEN=short\n`, { mode: 0o640 })
  t.match(await wrong(), [
    "setting REPORTER_TOKEN of hello: unable to read the setting REPORTER_TOKEN: '***' is",
  ])
  writeFileSync(rc, `${own}for part in a; do mine=$part; done; own=1\n`)
  t.same(await wrong(), [])
})

test('secrets that others can read are found, in files and in settings', async t => {
  const { sandbox, common, rc, wrong, findings } = make(t)
  const key = sandbox.path('key')
  writeFileSync(key, 'a key of sixteen characters', { mode: 0o644 })
  appendFileSync(rc, `NOTIFY_KEY_FILE=${key}\nNOTIFY_PASSWORD_FILE=${sandbox.path('none')}\n`)
  appendFileSync(common, 'REPORTER_TOKEN=sixteen-characters-or-more\nexport DEPLOY=x\nSECRETS=DEPLOY\n')
  t.same(await wrong(), [
    `secret ${key}: others can read it, and it is NOTIFY_KEY_FILE`,
    `secret ${sandbox.path('none')}: NOTIFY_PASSWORD_FILE cannot be looked at: no such file or directory`,
    `secret ${common}: it holds REPORTER_TOKEN, DEPLOY, and others can read it`,
  ])
  for (const { check, fix } of await findings())
    if (check === 'secret' && fix?.startsWith('chmod')) sandbox.ok('sh', ['-c', fix])
  writeFileSync(sandbox.path('none'), 'x', { mode: 0o640 })
  t.same(await wrong(), [], 'what it says to type is all that is to be done')
  t.notMatch(JSON.stringify(await findings()), 'sixteen')
})

test('a channel that cannot be opened is found, and a mailer that takes no letters', async t => {
  const { sandbox, rc, wrong, findings } = make(t)
  const settings = (lines: string) => {
    sandbox.ok('sed', ['-i', '/^NOTIFY/d', rc])
    appendFileSync(rc, lines)
  }
  settings('NOTIFY_WEBHOOK=http://127.0.0.1:1/\nNOTIFY_KEY_FILE=/dev/null\n')
  t.match(await wrong(), [
    /^secret/,
    /^channel hello: unable to sign for a webhook: NOTIFY_KEY is to have 16/,
  ])
  settings('NOTIFY_MAIL=ada@example.org\nNOTIFY_MAILER=/no/sendmail\n')
  t.same(await wrong(), ['mailer /no/sendmail: no letter of hello can be sent: no such file or directory'])
  const office = await PostOffice.open(t, { disabledCommands: ['STARTTLS', 'AUTH'] })
  settings(`NOTIFY_MAIL=ada@example.org\nNOTIFY_MAILER=smtp://127.0.0.1:${office.port}\n`)
  t.same(await wrong(), [])
  t.ok((await findings()).some(({ check, ok }) => check === 'mailer' && ok))
  t.equal(office.letters.length, 0, 'no letter is sent')
  await office.close()
  t.match(await wrong(), [
    /^mailer smtp:\/\/127.0.0.1:\d+: no letter of hello can be sent: connection refused/,
  ])
})

test('the hook of each project is looked at, and what it has left', async t => {
  const { sandbox, wrong, findings } = make(t)
  const hook = sandbox.path('hello.git/hooks/post-receive')
  const git = (...args: string[]) => sandbox.git(sandbox.path('hello.git'), ...args)
  const revs = sandbox.path('spool/revs/hello')

  chmodSync(hook, 0o644)
  t.same(await wrong(), [`hook hello: ${hook} is not executable`])
  appendFileSync(hook, '# of long ago\n')
  chmodSync(hook, 0o755)
  t.same(await wrong(), [`hook hello: ${hook} is of another version`])
  git('config', 'bass.revs', `${revs}/`)
  writeFileSync(hook, '#!/bin/sh\nexec somewhere/else\n')
  t.same(await wrong(), [], 'one that may run ours')
  git('config', 'bass.revs', '/srv/other/revs/hello')
  t.same(await wrong(), [`hook hello: bass.revs is '/srv/other/revs/hello', not '${revs}'`])
  git('config', '--unset', 'bass.revs')
  t.same(await wrong(), ['hook hello: bass.revs is not set'])
  rmSync(hook)
  t.same(await wrong(), [], 'a project may live by events')
  t.match(
    (await findings()).find(({ check }) => check === 'hook'),
    { text: /^none: pushes make no events; 'bass init .* --hook' installs it$/ },
  )
  git('config', 'bass.revs', revs)
  t.same(await wrong(), [`hook hello: there is no ${hook} that can be read`])
  const fix = (await findings()).find(({ check }) => check === 'hook')!.fix!
  sandbox.ok('sh', ['-ec', fix], { env: { PATH: `${ROOT}/bin:${sandbox.env['PATH']!}` } })
  t.same(await wrong(), [], 'what it says to type mends it')
})

test('a push whose hook could not make its events is found, and worked off by what is said', async t => {
  const { sandbox, wrong, findings } = make(t)
  sandbox.ok('git', ['clone', '-q', 'hello.git', 'work'])
  sandbox.git(sandbox.path('work'), 'commit', '-q', '--allow-empty', '-m', 'x')
  renameSync(sandbox.path('spool/revs/hello'), sandbox.path('aside'))
  sandbox.ok('git', ['push', '-q', 'origin', 'HEAD'], { cwd: 'work' })
  renameSync(sandbox.path('aside'), sandbox.path('spool/revs/hello'))
  t.same(await wrong(), [], 'a fresh one may be worked on')
  const pending = sandbox.path('hello.git/bass-pending')
  const before = new Date(Date.now() - 3_600_000)
  // The hook's second half may still be at it when the push is over.
  await eventually('a push that nobody works on', async () => {
    for (const name of sandbox.ls('hello.git/bass-pending')) utimesSync(join(pending, name), before, before)
    return (await wrong()).length > 0
  })
  t.same(await wrong(), [`hook hello: 1 push in ${pending} did not become events, the oldest came 1 h ago`])
  const { fix } = (await findings()).find(({ check, ok }) => check === 'hook' && !ok)!
  sandbox.run('sh', ['-c', fix!])
  t.same(await wrong(), [])
  t.match(sandbox.ok('find', ['spool/revs/hello', '-type', 'f']), /refs\/heads\/.*\/[0-9a-f]{40}/)
})

const notRoot = process.getuid?.() !== 0 && 'needs root'
test('a repository that git does not open, or that is not there, is found', { skip: notRoot }, async t => {
  const { sandbox, rc, wrong, findings } = make(t)
  sandbox.ok('git', ['init', '-q', '--bare', 'steps.git'])
  appendFileSync(rc, `STEPS=${sandbox.path('steps.git')}\n`)
  sandbox.ok('chown', ['-R', 'nobody', 'steps.git'])
  t.match(await wrong(), [
    new RegExp(
      `^repository ${sandbox.path('steps.git')}: unable to use the repository .*: detected dubious ownership`,
    ),
  ])
  const { fix } = (await findings()).find(({ check, ok }) => check === 'repository' && !ok)!
  sandbox.ok('sh', ['-c', fix!])
  t.same(await wrong(), [])
  mkdirSync(sandbox.path('empty'))
  appendFileSync(rc, `PROJ=${sandbox.path('empty')}\nSTEPS=${sandbox.path('none')}\n`)
  t.match(await wrong(), [
    /^repository .*empty: .*not a git repository/i,
    /^repository .*none: it is not there$/,
  ])
})
