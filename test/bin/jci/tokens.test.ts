// JCI_CREDENTIAL=token: jobs talk to the forge itself, each with a token that the server makes and deletes.

import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { TokenNames } from '../../../bin/jci/server/credential.ts'
import type { JciForge } from '../../fixtures/jci-forge.ts'
import { Played } from '../../fixtures/jci-played.ts'
import { eventually } from '../../fixtures/sandbox.ts'

/** Gives the server of this forge the key that it had before, and returns the names of tokens that it made then. */
function namesOfBefore({ sandbox }: JciForge): TokenNames {
  const key = randomBytes(32).toString('hex')
  mkdirSync(sandbox.path('db'), { mode: 0o700 })
  writeFileSync(sandbox.path('db/key'), key, { mode: 0o600 })
  return new TokenNames(key)
}

test('with tokens of the forge: one for each job, deleted when it is over, and what is left at each start', async t => {
  const left = (forge: JciForge) => {
    forge.api.tokens.set(namesOfBefore(forge).draw('long-ago'), 'old')
    forge.api.tokens.set('somebody', 'else')
  }
  const played = await Played.open(t, { JCI_CREDENTIAL: 'token' }, left)
  const { forge } = played
  t.match(played.server.stderr(), /warning: JCI_CREDENTIAL=token: .* does not expire/)
  t.same([...forge.api.tokens.keys()], ['somebody'])
  await played.push('hello', forge.repository('hello', 'echo hello'))
  const job = await played.got('r1', [])
  const [other, name, ...more] = [...forge.api.tokens.keys()]
  t.equal(other, 'somebody')
  t.match(name, new RegExp(`^jci-job-${job.job_id}-`))
  t.same(more, [])
  t.match(new URL(job.clone_url), { username: 'ci', host: new URL(forge.url).host }, 'it is the forge itself')
  t.notMatch(job.clone_url, 'the-token-of-the-forge')
  t.ok(await played.isAlive(job))
  t.equal((await fetch(`${played.url}/o/hello.git/info/refs?service=git-upload-pack`)).status, 404, 'no door')

  // Taken back and given again: the token is another one.
  const again = await played.got('r1', [])
  t.equal(again.job_id, job.job_id)
  t.notOk(await played.isAlive(job))
  t.ok(await played.isAlive(again))

  // While its job goes on, no start deletes it; when that is over meanwhile, the next start does.
  await played.server.kill('SIGKILL')
  await played.start()
  t.ok(await played.isAlive(again))
  // Nor does that of another server of the same user.
  const { running } = await forge.serve(
    { JCI_CREDENTIAL: 'token', JCI_DB: played.sandbox.path('other') },
    'fast',
  )
  t.ok(await played.isAlive(again))
  await running.kill('SIGTERM')
  t.equal((await played.run('r1', again)).code, 0)
  await played.over('success job completed')
  await eventually('the token is gone', () => forge.api.tokens.size === 1)
  t.notOk(await played.isAlive(again))
  t.same(forge.api.lies, [])
})

test('tokens of earlier jobs are found also where the forge lists few at a time', async t => {
  const played = await Played.open(t, {}, forge => {
    const names = namesOfBefore(forge)
    for (let i = 0; i < 7; i++) forge.api.tokens.set(names.draw(`long-ago-${i}`), `old ${i}`)
    forge.api.pageMax = 3
  })
  t.same([...played.forge.api.tokens.keys()], [])
})

test('a forge that makes no more tokens: a job waits for it without a word, until its time is over', async t => {
  const played = await Played.open(t, { JCI_CREDENTIAL: 'token', JCI_JOB_TIMEOUT: '10' })
  const { forge } = played
  forge.api.fault = ({ path }) => (path.includes('/tokens') ? { status: 403 } : undefined)
  const commits = ['one', 'two'].map(name => forge.repository(name, 'true'))
  await played.push('one', commits[0]!)
  const asked = setInterval(() => void played.poll('r1', []).catch(() => undefined), 300)
  t.teardown(() => clearInterval(asked))
  await played.over('failure job timed out')
  t.same(played.told(), ['pending queued', 'failure job timed out'])
  const said = played.server.stderr().match(/unable to assign the job of 'o\/one': .*403/g)
  t.equal(said?.length, 1, played.server.stderr())
  await played.push('two', commits[1]!)
  await eventually('it was tried', () => played.server.stderr().includes("the job of 'o/two'"))
  clearInterval(asked)
  forge.api.fault = () => undefined
  const job = await played.got('r1', [])
  t.match(job, { commit_sha: commits[1]! }, 'it goes on when there are tokens again')
  t.equal((await played.run('r1', job)).code, 0)
  await played.over('success job completed')
  await eventually('no token is left', () => forge.api.tokens.size === 0)
  await eventually('nothing is left to be done', () => played.sandbox.ls('db/jobs').length === 0)
  t.same(forge.api.lies, [])
})
