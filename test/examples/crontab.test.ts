import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { eventually, ROOT, Sandbox } from '../fixtures/sandbox.ts'

const LINES = readFileSync(join(ROOT, 'examples/crontab'), 'utf8')
  .split('\n')
  .filter(line => !/^(#.*)?$/.test(line))

/** The settings of the crontab and its one command, as cron reads them. */
function readCrontab() {
  const settings = LINES.flatMap(line => {
    const [, name, value] = /^([A-Z]+)=(.*)$/.exec(line) ?? []
    return name === undefined ? [] : [[name, value!] as const]
  })
  const commands = LINES.flatMap(line => /^(?:[\d*/,-]+ +){5}([^%]+)$/.exec(line)?.[1] ?? [])
  return {
    env: Object.fromEntries(settings),
    commands,
    odd: LINES.length - settings.length - commands.length,
  }
}

test('a nightly run is made of the tip, and another one while the first still runs', async t => {
  const sandbox = new Sandbox(t)
  sandbox.ok('git', ['init', '-q', '--bare', '-b', 'main', 'hello.git'])
  sandbox.ok('bin/bass', ['init', 'spool', '--project', 'hello', '--code', 'hello.git'])
  sandbox.ok('git', ['init', '-q', '-b', 'main', 'work'])
  mkdirSync(sandbox.path('work/.bass'))
  const step = `#!/bin/sh -e\n[ "$BASS_PARAM_KIND" = nightly ]\nuntil [ -e '${sandbox.path('go')}' ]; do sleep 0.1; done\n`
  writeFileSync(sandbox.path('work/.bass/1'), step, { mode: 0o755 })
  sandbox.ok('sh', ['-ec', 'git add .; git commit -qm x; git push -q ../hello.git HEAD:main'], {
    cwd: 'work',
  })

  const { env, commands, odd } = readCrontab()
  t.same([commands.length, odd], [1, 0])
  const cron = () => {
    const command = commands[0]!.replaceAll('/opt/bass', ROOT)
    return sandbox.ok('sh', ['-c', command], {
      cwd: sandbox.dir,
      env: {
        ...env,
        PATH: sandbox.env['PATH'],
        SPOOL: env['SPOOL']!.replace('/srv/bass', sandbox.spool.root),
      },
    })
  }
  t.equal(cron(), '', 'cron would mail what it prints')
  sandbox.start('bin/bass', ['up', 'spool', '--takers', '2'], { env: { SPOOL: undefined } })
  const jobs = () => sandbox.ls('spool/jobs/cur')
  await eventually(
    'the first run',
    () => jobs().some(job => sandbox.ls('spool/jobs/cur', job, 'steps').length),
    60,
  )
  cron()
  await eventually('the second run', () => jobs().length === 2, 60)
  const isOver = (job: string) => sandbox.ls('spool/jobs/cur', job).includes('result.txt')
  t.same(jobs().filter(isOver), [], 'the first still runs')
  writeFileSync(sandbox.path('go'), '')
  await eventually('the end of both', () => jobs().every(isOver), 60)
  for (const job of jobs())
    t.equal(readFileSync(sandbox.path('spool/jobs/cur', job, 'result.txt'), 'utf8'), 'success\n')
})
