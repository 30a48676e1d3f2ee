// The tokens of jobs, with a forge that takes its time.

import { test } from 'tap'

import { TokenNames } from '../../../../bin/jci/server/credential.ts'
import { Desk, DESK_TIMES } from '../../../../bin/jci/server/desk.ts'
import type { ForgeClient } from '../../../../bin/jci/server/forge.ts'
import { Jobs } from '../../../../bin/jci/server/jobs.ts'
import type { Results } from '../../../../bin/jci/server/results.ts'
import { Runners } from '../../../../bin/jci/server/runners.ts'
import { Sandbox } from '../../../fixtures/sandbox.ts'

test('the token of an earlier attempt is deleted once, and however late that is done, no later one with it', async t => {
  const made: string[] = []
  const deletions: { name: string; answer: () => void }[] = []
  const forge = {
    createToken: (name: string) => Promise.resolve(`secret ${made.push(name)}`),
    deleteToken: (name: string) => new Promise<void>(answer => deletions.push({ name, answer })),
  } as unknown as ForgeClient
  const results = {
    known: () => Promise.resolve([]),
    look: () => Promise.resolve(undefined),
  } as unknown as Results
  const jobs = new Jobs(new Sandbox(t).path('jobs'))
  const desk = new Desk(jobs, forge, results, new Runners(1000), {
    maxJobs: 4,
    timeout: 60_000,
    tokenNames: new TokenNames('ab'.repeat(32)),
    times: { ...DESK_TIMES, patience: 10 },
    isPushing: () => false,
    changed: () => undefined,
  })
  const job = jobs.add('o', 'r', 'a'.repeat(40))!
  const first = await desk.poll('one')
  t.match(first, { token: 'secret 1' })

  jobs.requeue(job)
  const settled = [desk.settle(), desk.settle()]
  t.same(await desk.poll('two'), undefined, 'there is one token at a time')
  t.same(
    deletions.map(({ name }) => name),
    [made[0]],
  )
  for (const { answer } of deletions) answer()
  await Promise.all(settled)
  t.match(await desk.poll('two'), { token: 'secret 2' })
  t.equal(jobs.get(job.id)?.token, made[1])
  t.equal(new Set(made).size, 2)
  t.equal(deletions.length, 1)
})
