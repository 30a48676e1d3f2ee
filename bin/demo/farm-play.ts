// The demo of a farmer: a signed webhook, jobs of Testfiles, a worker, live output and verdicts, with a PostgreSQL of the
// farmer's own, files, and a repository on this machine.

import { createHmac, randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { EXIT, temporary } from '../../lib/base/exit.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { git } from '../../lib/git/process.ts'
import { HOME } from '../../lib/system/tree.ts'
import { AS } from './push-code.ts'
import { open, tellLine, show, tell } from './stage.ts'
import type { Stage } from './stage.ts'

/** Between two looks at the jobs, in milliseconds. */
const JOBS_LOOK_MS = 200
/** How long all jobs may take, in milliseconds. */
const ALL = 120_000

const CODE = {
  Testfile: 'lines: git ls-files | xargs wc -l\n',
  'docs/Testfile': 'spelling: ! grep -rniw teh .\n',
  'docs/readme.txt': 'A sieve of Eratosthenes, in sh.\n',
  'sieve/Testfile': [
    'first: test "$(sh ./sieve 30 | wc -l)" = 10',
    'slowly: for n in 20 40 60 80; do echo "up to $n: $(sh ./sieve $n | wc -l) primes"; sleep 1; done',
    '',
  ].join('\n'),
  'sieve/sieve': [
    '# Prints the primes up to $1.',
    'for n in $(seq 2 "$1"); do',
    '  d=2',
    '  while [ $((d * d)) -le $n ] && [ $((n % d)) -ne 0 ]; do d=$((d + 1)); done',
    '  [ $((d * d)) -le $n ] || echo $n',
    'done',
    '',
  ].join('\n'),
}

/** Returns 0 if all jobs succeed, else 1. */
export async function playFarm(stage: Stage, web: boolean): Promise<number> {
  // The server of the farmer's PostgreSQL runs as another user, below this directory.
  chmodSync(stage.directory, 0o711)
  tellLine(`In ${stage.directory}:\n`)
  const secret = randomBytes(24).toString('base64')
  const [before, after] = makeCode(stage.at('code'))
  show('cat conf/sieve/rc')
  writeProject(stage, secret)
  const program = (name: string, launcher: string, env: NodeJS.ProcessEnv) => {
    makeDirectories(stage.at(name))
    return { name, file: join(HOME, launcher), directory: stage.at(name), env: { ...stage.env, ...env } }
  }
  show('master/bin/farmer &', '# no DATABASE_URL and no S3_BUCKET: a PostgreSQL of its own, and files')
  const farmer = program('farmer', 'master/bin/farmer', {
    FARMER_DATA: stage.at('farmer'),
    FARMER_CONF: stage.at('conf'),
    FARMER_LISTEN: '127.0.0.1:0',
  })
  return stage.whileRunning([farmer], async () => {
    const url = await stage.pages()
    tell('pages', url)
    if (web) open(url)
    show(`FARMER_URL=${url} slave/bin/worker &`)
    const worker = program('worker', 'slave/bin/worker', { FARMER_URL: url })
    const code = await stage.whileRunning([worker], async () => {
      show(
        `curl -d @push.json ${url}/hooks/sieve`,
        "# a push that changes 'sieve/sieve', signed as GitHub does",
      )
      const pushed = performance.now()
      await deliver(url, secret, before, after)
      return follow(url, pushed, stage.signal)
    })
    if (code === EXIT.done) tellLine(WHAT_NEXT)
    if (web) await stage.keepOpen()
    return code
  })
}

/** A repository with two commits; the second changes one file. */
function makeCode(path: string): [before: string, after: string] {
  mkdirSync(path)
  git(path, 'init', '-q', '-b', 'main')
  const commit = (files: Record<string, string>) => {
    for (const [name, text] of Object.entries(files)) {
      makeDirectories(dirname(join(path, name)))
      writeFileSync(join(path, name), text)
    }
    git(path, 'add', '--all')
    git(path, ...AS, 'commit', '-q', '-m', 'the demo')
    return git(path, 'rev-parse', 'HEAD').trim()
  }
  return [commit(CODE), commit({ 'sieve/sieve': `# A sieve.\n${CODE['sieve/sieve']}` })]
}

function writeProject(stage: Stage, secret: string): void {
  makeDirectories(stage.at('conf/sieve'))
  writeFileSync(stage.at('hook-secret'), `${secret}\n`, { mode: 0o600 })
  const rc = `FORGE=github:demo/sieve\nFORGE_SECRET_FILE=${stage.at('hook-secret')}\nFARMER_CLONE=${stage.at('code')}\n`
  writeFileSync(stage.at('conf/sieve/rc'), rc)
  tellLine(rc.replace(/^/gm, '  ').trimEnd())
}

async function deliver(url: string, secret: string, before: string, after: string): Promise<void> {
  const body = JSON.stringify({
    ref: 'refs/heads/main',
    before,
    after,
    repository: { full_name: 'demo/sieve' },
    sender: { login: 'ada' },
  })
  const answer = await fetch(`${url}/hooks/sieve`, {
    method: 'POST',
    body,
    headers: {
      'Content-Type': 'application/json',
      'X-GitHub-Event': 'push',
      'X-GitHub-Delivery': 'demo',
      'X-Hub-Signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    },
  })
  if (answer.status !== 202) throw temporary('deliver a webhook', await answer.text())
  tell('webhook', `${answer.status} ${await answer.text()}`)
}

interface Job {
  readonly num: number
  readonly name: string
  readonly params: Readonly<Record<string, string>>
  readonly job: {
    readonly verdict: string | null
    readonly steps: readonly { readonly name: string }[]
  } | null
}

interface Status {
  readonly waiting: readonly Job[]
  readonly running: readonly Job[]
  readonly recent: readonly Job[]
}

/** Prints what each job writes, as it is written, until all are over. */
async function follow(url: string, since: number, signal: AbortSignal): Promise<number> {
  const ask = (path: string) => fetch(url + path, { signal })
  const printed = new Map<string, number>()
  const verdicts = new Map<string, string>()
  let idle = 0
  while (performance.now() - since < ALL) {
    const { waiting, running, recent } = (await (await ask('/api/status')).json()) as Status
    for (const { num, name, params, job } of [...recent, ...running].sort((a, b) => a.num - b.num)) {
      if (verdicts.has(name) || !job) continue
      const label = params['CHECK'] ?? name
      if (!printed.has(name)) tellLine(`== ${label}`)
      printed.set(name, printed.get(name) ?? 0)
      for (const step of job.steps) {
        const answer = await ask(`/job/${num}/log/${encodeURIComponent(step.name)}?plain`)
        const text = await answer.text()
        // The step may have begun this moment.
        if (!answer.ok) continue
        const lines = text
          .replace(/^@\S+ /gm, '')
          .split('\n')
          .slice(0, -1)
        for (const line of lines.slice(printed.get(name))) tellLine(`   ${line}`)
        printed.set(name, lines.length)
      }
      if (job.verdict === null) continue
      verdicts.set(name, job.verdict)
      tellLine(
        `== ${label}: ${job.verdict}, ${((performance.now() - since) / 1000).toFixed(1)} s after the webhook`,
      )
    }
    // Between the delivery and its jobs, and between one job and the next, nothing is seen for a moment.
    idle = verdicts.size > 0 && waiting.length + running.length === 0 ? idle + 1 : 0
    if (idle === 5) return [...verdicts.values()].every(verdict => verdict === 'success') ? EXIT.done : 1
    await sleep(JOBS_LOOK_MS, undefined, { signal })
  }
  throw temporary('see all jobs end', `it takes longer than ${ALL / 1000} s`)
}

const WHAT_NEXT = `
What to type next, for a project of your own, is in the README, "Without a shared file system"; a
small and a large site are in examples/farmer.`
