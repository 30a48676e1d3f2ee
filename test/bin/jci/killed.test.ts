// Server, runner and jobs are killed with -9 at random instants. `npm run test:jci` does it for long.

import { rmSync } from 'node:fs'
import { test } from 'tap'
import type { Test } from 'tap'

import { processesWith } from '../../../lib/system/process.ts'
import { JciSite } from '../../fixtures/jci-site.ts'
import { lacksPodman, Podman } from '../../fixtures/podman.ts'
import { eventually, Sandbox } from '../../fixtures/sandbox.ts'

const LONG = process.env['JCI_KILLS'] === 'long'
const ROUNDS = Number(process.env['JCI_ROUNDS'] ?? (LONG ? 10 : 1))
/** How many of a round's jobs are over when it is left in peace. */
const PART = 0.9
const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(Math.random() * list.length)]
const sleep = (ms: number) => new Promise(done => setTimeout(done, ms))

/** Kills something again and again until told to stop. Returns how often it hit what. */
async function killAround(site: JciSite, { killJob, pause }: Round, isOver: () => boolean) {
  const hits = { server: 0, runner: 0, job: 0 }
  while (!isOver()) {
    await sleep(100 + Math.random() * pause)
    if (isOver()) break
    const dice = Math.random()
    if (dice < 0.25) {
      await site.killServer()
      hits.server++
    } else if (dice < 0.4) {
      await site.killRunner()
      hits.runner++
    } else if (killJob()) hits.job++
  }
  return hits
}

interface Round {
  readonly jobs: number
  readonly killJob: () => boolean
  /** Between two kills at most, in milliseconds. */
  readonly pause: number
}

async function round(t: Test, site: JciSite, name: string, plan: Round): Promise<void> {
  const { jobs } = plan
  const { forge, witness } = site
  const commits = Array.from({ length: jobs }, (_, i) =>
    forge.repository(`${name}-${i}`, witness.script((Math.random() * 2).toFixed(1))),
  )
  const statuses = forge.api.statuses.length
  let over = false
  const killing = killAround(site, plan, () => over)
  const finals = () => commits.filter(commit => site.ends(commit).length > 0).length
  try {
    for (const [i, commit] of commits.entries()) await site.deliver(`${name}-${i}`, commit)
    if (LONG) await eventually('most of them are over', () => finals() >= PART * jobs, 60 + jobs * 30)
    else await sleep(8000)
  } finally {
    over = true
    await killing
  }
  const hits = await killing
  await site.allOver(commits, 60 + jobs * 10)

  const ends = commits.map(commit => site.ends(commit))
  t.same(
    ends.map(list => list.length),
    commits.map(() => 1),
    'one final status each',
  )
  t.ok(
    commits.every(commit => !site.told(commit).at(-1)!.startsWith('pending')),
    'the final status is the last',
  )
  t.same(witness.twice, [], 'no job twice at once')
  t.ok(
    commits.every(commit => (witness.begun.get(commit) ?? 0) <= 1),
    'what a script has begun is not begun again',
  )
  const seen = commits.filter(commit => witness.remotes.has(commit))
  const alive: string[] = []
  for (const commit of LONG ? seen : seen.slice(0, 6))
    if (await site.isCredentialAlive(commit)) alive.push(commit)
  t.same(alive, [], 'no credential is usable')
  t.ok(!LONG || seen.length > jobs / 4, 'many scripts have run')
  await eventually('nothing is left to be done', () => site.sandbox.ls('db/jobs').length === 0)
  t.same(
    commits.flatMap((_, i) => forge.runs(`${name}-${i}`)).filter(run => run.endsWith(' running')),
    [],
    'no run says for ever that it goes on',
  )
  t.same(forge.api.lies, [])
  const words = ends.map(([end]) => end!.replace('jci: job ', ''))
  const counts = ['success completed', 'failure completed', 'failure lost', 'failure timed out'].map(
    word => `${word} ${words.filter(one => one === word).length}`,
  )
  t.comment(
    `killed ${JSON.stringify(hits)}; ${counts.join(', ')}; ${forge.api.statuses.length - statuses} statuses`,
  )
  for (let i = 0; i < jobs; i++)
    for (const place of ['work', 'forge'])
      rmSync(site.sandbox.path(place, 'o', `${name}-${i}${place === 'forge' ? '.git' : ''}`), {
        recursive: true,
      })
}

test('killed at random instants, every job as processes of the runner has one end', async t => {
  const site = await JciSite.open(t, {
    server: { JCI_MAX_JOBS: '6', JCI_JOB_TIMEOUT: '60' },
    runner: { JCI_RUN_IN: 'here' },
  })
  const id = () => site.sandbox.run('cat', ['runner/id']).stdout.trim()
  const killJob = () => {
    const pid = pick(processesWith(`JCI_JOB_OF=${id()}`))
    if (pid === undefined) return false
    try {
      process.kill(pid, 'SIGKILL')
      return true
    } catch {
      return false
    }
  }
  for (let i = 0; i < ROUNDS; i++)
    await round(t, site, `r${i}`, { jobs: LONG ? 100 : 6, killJob, pause: 1500 })
  t.equal((await site.runner.kill('SIGTERM')).code, 0)
  t.same(processesWith(`JCI_JOB_OF=${id()}`), [], 'no process is left')
  t.same(site.sandbox.ls('runner/here'), [], 'no file is left')
})

test('killed at random instants, every job in a container has one end', { skip: lacksPodman() }, async t => {
  const sandbox = new Sandbox(t)
  const podman = new Podman(t, sandbox)
  const image = podman.importBusybox()
  const site = await JciSite.open(
    t,
    {
      server: { JCI_MAX_JOBS: '4', JCI_JOB_TIMEOUT: '90' },
      runner: { ...podman.env, JCI_IMAGE: image, JCI_NETWORK: 'host', JCI_MEMORY: '1g' },
    },
    sandbox,
  )
  const killJob = () => {
    const id = pick(podman.ask('ps', '--quiet').split('\n').filter(Boolean))
    const [program, ...options] = podman.env['CONTAINER']!.split(' ')
    return (
      id !== undefined &&
      sandbox.run(program!, [...options, 'kill', '-s', 'KILL', id], { env: podman.env }).code === 0
    )
  }
  for (let i = 0; i < ROUNDS; i++)
    await round(t, site, `c${i}`, { jobs: LONG ? 100 : 3, killJob, pause: LONG ? 5000 : 3000 })
  t.equal((await site.runner.kill('SIGTERM')).code, 0)
  await eventually('no container is left', () => podman.ask('ps', '--all', '--quiet') === '', 60)
})
