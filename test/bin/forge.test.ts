import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { test } from 'tap'

import { StandIn } from '../fixtures/forges/stand-in.ts'
import { Sandbox } from '../fixtures/sandbox.ts'

interface Found {
  findings: { check: string; subject: string; ok: boolean; text: string; fix: string | null }[]
}

test('a project on a forge is set up, registered once, and doctor says what is wrong with it', async t => {
  const standIn = await StandIn.open(t, 'gitea')
  const sandbox = new Sandbox(t)
  const root = sandbox.path('site')
  const env = {
    SPOOL: root,
    TASKS: '',
    JOBS: '',
    REVS: '',
    PROJ: '',
    BASS_RC: '',
    REPORTER_URL: 'https://ci.test/',
  }
  const bass = (...args: string[]) => sandbox.start('bin/bass', args, { env }).ended
  const made = await bass('init', root, '--project', 'web', '--forge', standIn.forge)
  t.equal(made.code, 0, made.stderr)
  t.match(made.stdout, /forge\.token.*\n[^]*https:\/\/ci\.test\/hooks\/web\n[^]*forge\.secret\n\S*bass up /)
  const conf = join(root, 'conf/web')
  t.equal(statSync(join(conf, 'forge.secret')).mode & 0o077, 0, 'nobody else reads the secret')
  t.match(readFileSync(join(conf, 'forge.secret'), 'utf8'), /^[0-9a-f]{64}\n$/)
  t.notMatch(made.stdout, readFileSync(join(conf, 'forge.secret'), 'utf8').trim())
  t.match(readFileSync(join(root, 'mirrors/web.git/HEAD'), 'utf8'), 'ref: ')

  const refused = await bass('init', root, '--project', 'web', '--forge', standIn.forge, '--register')
  t.equal(refused.code, 100)
  t.match(refused.stderr, /there is no token in/)
  writeFileSync(join(conf, 'forge.token'), 'a_token\n')
  for (let i = 0; i < 2; i++) {
    const registered = await bass('init', root, '--project', 'web', '--forge', standIn.forge, '--register')
    t.equal(registered.code, 0, registered.stderr)
  }
  t.equal(standIn.hooks.length, 1, 'it is registered once')
  t.match(standIn.hooks[0], { config: { url: 'https://ci.test/hooks/web', content_type: 'json' } })

  const doctor = async () => {
    const { findings } = JSON.parse((await bass('doctor', '--json')).stdout) as Found
    return findings.filter(({ subject }) => subject === 'web')
  }
  const said = (findings: Found['findings'], check: string) => findings.find(one => one.check === check)
  const well = await doctor()
  for (const check of ['mirror', 'forge', 'token', 'webhook']) t.match(said(well, check), { ok: true }, check)

  standIn.fullName = 'o/renamed'
  standIn.may = { pull: true, push: false, admin: false }
  standIn.hooks.length = 0
  standIn.more = { Date: new Date(Date.now() - 600_000).toUTCString() }
  rmSync(join(root, 'mirrors/web.git/HEAD'))
  const ill = await doctor()
  t.match(said(ill, 'forge'), { ok: false, text: /o\/r is called o\/renamed now/ })
  t.match(said(ill, 'token'), { ok: false, text: /may not write/ })
  t.match(said(ill, 'webhook'), { ok: false, fix: /--register/ })
  t.match(said(ill, 'clock'), { ok: false, text: /differ by [56]\d\d s/ })
  t.match(said(ill, 'mirror'), { ok: false, fix: /git init --bare/ })

  standIn.fault = () => ({ status: 401, body: { message: 'token has expired' } })
  t.match(said(await doctor(), 'token'), { ok: false, text: /refuses it .*token has expired.* run out/ })
  t.same(standIn.lies, [])
})

test('init says what does not go together', async t => {
  const sandbox = new Sandbox(t)
  mkdirSync(sandbox.path('x'))
  for (const [args, why] of [
    [['--project', 'p', '--forge', 'nonsense'], /FORGE: 'nonsense'/],
    [['--project', 'p', '--forge', 'git:/x', '--code', '/x'], /exclude each other/],
    [['--project', 'p', '--forge', 'git:/x', '--hook'], /--hook is for --code/],
    [['--project', 'p', '--code', '/x', '--register'], /--register is for --forge/],
    [
      ['--project', 'p', '--code', 'https://github.com/o/r'],
      /type '--forge git:https:\/\/github\.com\/o\/r'/,
    ],
    [['--forge', 'git:/x'], /--forge is for a project/],
  ] as const) {
    const { code, stderr } = sandbox.run('bin/bass', ['init', sandbox.path('x'), ...args])
    t.equal(code, 100, stderr)
    t.match(stderr, why)
  }
})
