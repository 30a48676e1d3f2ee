// The README is true: its commands are run as they stand there, and its tables are held against the tree.

import { freePort } from '../../bin/demo/free-ports.ts'
import { createHmac } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { VERDICTS } from '../../lib/spool/job.ts'
import { PROGRAMS } from '../../bin/setup/program-kinds.ts'
import { eventually, ROOT, Sandbox } from '../fixtures/sandbox.ts'

const README = readFileSync(join(ROOT, 'README.md'), 'utf8')

/** The commands of a section, in order; `forever` are those that run until they are stopped. */
function commandsOf(title: string): { script: string; forever: boolean }[] {
  const section = README.split(/^## /m).find(text => text.startsWith(title)) ?? ''
  const blocks = section.matchAll(/^```sh( forever)?\n(.*?)^```$/gms)
  return [...blocks].map(([, forever, script]) => ({ script: script!, forever: forever !== undefined }))
}

/** The cells of a table's rows, without back-quotes; the table is the one whose first column has this heading. */
function rowsOf(heading: string): string[][] {
  const table = README.slice(README.search(new RegExp(`^\\| ${heading} `, 'm'))).split('\n\n')[0]!
  const rows = table.split('\n').slice(2)
  return rows
    .filter(row => row !== '')
    .map(row =>
      row
        .split('|')
        .map(cell => cell.trim().replaceAll('`', ''))
        .slice(1, -1),
    )
}

test('a project is set up by the commands as they stand there', async t => {
  const sandbox = new Sandbox(t)
  const env = {
    SPOOL: undefined,
    PATH: `${ROOT}/bin:${sandbox.env['PATH']!}`,
    ARCH: undefined,
    REPORTER_LISTEN: '127.0.0.1:0',
  }
  const here = (script: string) =>
    script
      .replaceAll('/opt/bass', ROOT)
      .replaceAll('/srv/', `${sandbox.dir}/srv/`)
      .replaceAll('/var/lib/', `${sandbox.dir}/var/`)
  const run = (script: string) => sandbox.ok('sh', ['-ec', here(script)], { env })
  // The last line is the program, which is to get our signals.
  const start = (script: string) =>
    sandbox.start('sh', ['-ec', here(script).trim().replace(/.*$/, 'exec env $&')], { env })
  mkdirSync(sandbox.path('srv/git'), { recursive: true })
  sandbox.ok('git', ['init', '-q', '--bare', 'srv/git/hello.git'])

  const [init, steps, up, look, tell, ...programs] = commandsOf('Setting up a project')
  t.same(
    [init, steps, up, look, tell, ...programs].map(block => block?.forever),
    [false, false, true, false, false, true, true, true, true, true],
  )
  run(init!.script)
  run(steps!.script)
  const all = start(up!.script)
  // It may be over before one looks again.
  const tasks = () => ['cur', 'old'].flatMap(place => sandbox.ls('srv/bass/tasks', place))
  await eventually('a task', () => tasks().length > 0, 60)
  t.match(run(look!.script), /testing [0-9a-f]{40} on testhost/)
  t.equal((await all.kill('SIGTERM')).code, 0)

  run(tell!.script)
  sandbox.ok('sh', ['-ec', 'cd hello; git commit -q --allow-empty -m again; git push -q origin HEAD'])
  const several = programs.map(({ script }) => start(script))
  const verdict = () => {
    const name = sandbox.ls('srv/bass/jobs/cur').find(name => name.startsWith('2:'))
    const file = sandbox.path('srv/bass/jobs/cur', name ?? '', 'result.txt')
    return existsSync(file) && readFileSync(file, 'utf8')
  }
  t.equal(await eventually('a verdict', verdict, 60), 'success\n')
  const notices = () => sandbox.ls('srv/bass/notices/hello')
  await eventually('channels', () => notices().filter(name => /^(mail|webhook)-/.test(name)).length === 3)
  await Promise.all(several.map(program => program.kill('SIGTERM')))
})

test(
  'services, deployment and doctor work by the commands as they stand there',
  { skip: process.getuid?.() !== 0 && 'needs root' },
  async t => {
    const sandbox = new Sandbox(t)
    const env = { SPOOL: undefined, PATH: `${ROOT}/bin:${sandbox.env['PATH']!}`, ARCH: undefined }
    chmodSync(sandbox.dir, 0o755)
    sandbox.ok('git', ['init', '-q', '--bare', '-b', 'main', 'hello.git'])
    mkdirSync(sandbox.path('srv'))
    sandbox.ok('bin/bass', ['init', 'srv/bass', '--project', 'hello', '--code', 'hello.git'], { env })
    sandbox.ok('git', ['init', '-q', 'work'])
    const commit = 'git commit -q --allow-empty -m x; git push -q ../hello.git HEAD:main'
    sandbox.ok('sh', ['-ec', commit], { cwd: 'work' })
    const run = (script: string) =>
      sandbox.run('sh', ['-ec', script.replaceAll(/\/(srv|service|etc)\b/g, `${sandbox.dir}/$1`)], { env })
    for (const directory of ['service', 'etc/systemd/system'])
      mkdirSync(sandbox.path(directory), { recursive: true })

    const [master, slave, systemd, deploy, event, doctor] = commandsOf('Running as a service')
    // There is no user called bass here.
    const ofNobody = (script: string) =>
      script
        .replace('chgrp bass', 'chgrp "$(id -g nobody)"')
        .replace('--user bass', '--user nobody')
        .replace('--systemd', '--systemd --user nobody')
    for (const { script } of [master!, slave!, systemd!, deploy!, event!])
      t.match(run(ofNobody(script)), { code: 0, stderr: '' }, script)
    t.equal(sandbox.ls('service').length, 7)
    t.equal(sandbox.ls('etc/systemd/system').join(), 'bass-task-taker@.service')
    t.match(sandbox.ok(sandbox.path('srv/bass/slave/bin/task-taker'), ['--version']), 'task-taker')
    const { code, stdout } = run(doctor!.script)
    t.equal(code, 1, 'nothing runs')
    t.match(stdout, /^WRONG {2}arch linux-/m)
  },
)

test('a farmer and a worker are set up by the commands as they stand there', async t => {
  const sandbox = new Sandbox(t)
  // Root's PostgreSQL runs as another user.
  chmodSync(sandbox.dir, 0o711)
  sandbox.ok('git', ['init', '-q', '-b', 'main', 'code'])
  writeFileSync(sandbox.path('code/Testfile'), 'hello: echo hello\n')
  const revision = sandbox.ok('sh', ['-ec', 'git add .; git commit -qm x; git rev-parse HEAD'], {
    cwd: 'code',
  })
  const [init, farmer, worker] = commandsOf('Without a shared file system')
  t.same(
    [init, farmer, worker].map(block => block?.forever),
    [false, true, true],
  )
  const port = await freePort()
  const here = (script: string) =>
    script
      .replaceAll('/opt/bass', ROOT)
      .replaceAll('/var/lib/', `${sandbox.dir}/var/`)
      .replaceAll('ci.example.org:8020', `127.0.0.1:${port}`)
      .replaceAll('0.0.0.0:8020', `127.0.0.1:${port}`)
  sandbox.ok('sh', ['-ec', here(init!.script)])
  const env = { SPOOL: undefined, FARMER_CLONE: sandbox.path('code') }
  const start = (script: string, cwd: string) =>
    sandbox.start('sh', ['-ec', `exec env ${here(script)}`], { env, cwd })
  const running = start(farmer!.script, '.')
  await eventually('the farmer', () => running.stderr().includes('listening on'), 60)
  mkdirSync(sandbox.path('worker'))
  const working = start(worker!.script, 'worker')

  const secret = readFileSync(sandbox.path('var/bass-farmer/hook-secret'), 'utf8').trim()
  const body = JSON.stringify({
    ref: 'refs/heads/main',
    before: '0'.repeat(40),
    after: revision,
    repository: { full_name: 'example/app' },
    sender: { login: 'ada' },
  })
  const headers = {
    'Content-Type': 'application/json',
    'X-GitHub-Event': 'push',
    'X-GitHub-Delivery': '1',
    'X-Hub-Signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
  }
  const url = `http://127.0.0.1:${port}`
  t.equal((await fetch(`${url}/hooks/app`, { method: 'POST', body, headers })).status, 202)
  for (let over = false; !over; await new Promise(done => setTimeout(done, 100))) {
    const { recent } = (await (await fetch(`${url}/api/status`)).json()) as { recent: unknown[] }
    over = recent.length > 0
    if (over) t.match(recent, [{ params: { CHECK: 'hello' }, job: { verdict: 'success' } }])
  }
  t.equal((await working.kill('SIGTERM')).code, 0)
  t.equal((await running.kill('SIGTERM')).code, 0)
})

test('the table of settings has every setting of lib/rc, with its default', async t => {
  const rc = readFileSync(join(ROOT, 'lib/rc'), 'utf8').replace(/^ *#.*/gm, '')
  const documented = new Map(rowsOf('setting').map(([name, value]) => [name!, value!]))
  for (const [, name, value] of rc.matchAll(/([A-Z_]+)="\$\{\1:-([^"]*)\}"/g)) {
    if (name === 'LANG') continue
    const shown = value === '${TMPDIR:-/tmp}' ? '$TMPDIR, or /tmp' : value!
    t.equal(documented.get(name!), shown, name!)
  }
  for (const [, name] of rc.matchAll(/\bexport ([A-Z_]+)$/gm)) {
    if (!['BASS_RC', 'TASKS', 'JOBS', 'REVS'].includes(name!)) t.ok(documented.has(name!), name!)
  }
  for (const name of documented.keys()) t.ok(new RegExp(`\\b${name}\\b`).test(rc), `${name} is a setting`)
})

test('every program of its table is there', async t => {
  const programs = rowsOf('program').map(([program]) => program!.split(' ')[0]!)
  for (const program of programs) t.ok(existsSync(join(ROOT, program)), program)
  for (const { launcher } of PROGRAMS) t.ok(programs.includes(launcher), launcher)
})

test('it names every verdict', async t => {
  for (const verdict of VERDICTS) t.ok(README.includes(`\`${verdict}\``), verdict)
})

test('its pictures are there, are small, and are all that there are', async t => {
  const shown = [...README.matchAll(/!\[[^\]]+\]\(examples\/pictures\/([^)]+)\)/g)].map(match => match[1]!)
  t.same(shown.sort(), readdirSync(join(ROOT, 'examples/pictures')).sort())
  for (const name of shown) t.ok(statSync(join(ROOT, 'examples/pictures', name)).size < 150_000, name)
})
