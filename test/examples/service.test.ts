// The service directories, under the supervisors that people use.

import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'tap'

import { PROGRAMS } from '../../bin/setup/program-kinds.ts'
import { processesWith } from '../../lib/system/process.ts'
import { eventually, lacks, ROOT, Sandbox } from '../fixtures/sandbox.ts'
import type { Running } from '../fixtures/sandbox.ts'

const SERVICES = [
  'bass-notifier',
  'bass-reaper',
  'bass-reporter',
  'bass-task-maker-hello',
  'bass-task-taker-1',
]

interface Supervisor {
  readonly command: readonly string[]
  readonly needs: readonly string[]
  /** Stops everything, as its manual says. */
  readonly stop: (sandbox: Sandbox, running: Running) => unknown
}

const SUPERVISORS: Record<string, Supervisor> = {
  daemontools: {
    command: ['svscan', '.'],
    needs: ['svscan', 'svc', 'multilog'],
    stop: (sandbox, running) => {
      // What it has started goes on without it.
      running.child.kill('SIGTERM')
      sandbox.ok('svc', ['-dx', ...SERVICES], { cwd: 'services' })
      sandbox.ok('svc', ['-x', ...SERVICES.map(name => `${name}/log`)], { cwd: 'services' })
    },
  },
  runit: {
    command: ['runsvdir', '-P', '.'],
    needs: ['runsvdir', 'svlogd'],
    stop: (_, running) => running.child.kill('SIGHUP'),
  },
  s6: {
    command: ['s6-svscan', '.'],
    needs: ['s6-svscan', 's6-log'],
    stop: sandbox => sandbox.ok('s6-svscanctl', ['-t', '.'], { cwd: 'services' }),
  },
}

for (const [name, { command, needs, stop }] of Object.entries(SUPERVISORS)) {
  test(
    `under ${name} all start, return when they are killed, log, and leave nothing when stopped`,
    { skip: lacks(...needs) },
    async t => {
      const sandbox = new Sandbox(t)
      mkdirSync(sandbox.path('services'))
      sandbox.ok('git', ['init', '-q', '--bare', '-b', 'main', 'hello.git'])
      sandbox.ok('bin/bass', ['init', 'spool', '--project', 'hello', '--code', 'hello.git', '--hook'])
      sandbox.ok('git', ['init', '-q', 'work'])
      mkdirSync(sandbox.path('work/.bass'))
      const push = (script: string) => {
        writeFileSync(sandbox.path('work/.bass/1'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
        sandbox.ok('sh', ['-ec', 'git add .; git commit -qm x; git push -q ../hello.git HEAD:main'], {
          cwd: 'work',
        })
      }
      mkdirSync(sandbox.path('spool/conf/hello/notify.d'))
      writeFileSync(sandbox.path('spool/conf/hello/notify.d/log'), '#!/bin/sh\ncat\n', { mode: 0o755 })
      const add = ['service', 'add', 'services', '--reaper', '--notifier', '--reporter', '--project', 'hello']
      sandbox.ok('bin/bass', [...add, '--slots', '1', '--state', 'slots'])
      t.same(sandbox.ls('services'), SERVICES)

      const running = sandbox.start(command[0]!, command.slice(1), {
        cwd: 'services',
        env: { SPOOL: undefined, MARK: sandbox.dir, REPORTER_LISTEN: '127.0.0.1:0' },
      })
      const processes = () => processesWith(`MARK=${sandbox.dir}`)
      t.teardown(() => processes().forEach(pid => process.kill(pid, 'SIGKILL')))
      const pidOf = (program: string) =>
        processes().find(pid => argsOf(pid).includes(join(ROOT, 'dist', `${program}.js`)))

      push('true')
      const results = () =>
        sandbox
          .ls('spool/jobs/cur')
          .filter(job => sandbox.ls('spool/jobs/cur', job).includes('result.txt'))
          .map(job => readFileSync(sandbox.path('spool/jobs/cur', job, 'result.txt'), 'utf8'))
      await eventually('a verdict', () => results().includes('success\n'), 60)

      const names = ['reaper', 'notifier', 'reporter', 'task-maker'].map(name => `master/${name}`)
      for (const program of [...names, 'slave/task-taker']) {
        const before = await eventually(program, () => pidOf(program), 60)
        process.kill(before, 'SIGKILL')
        await eventually(`another ${program}`, () => ![before, undefined].includes(pidOf(program)), 60)
      }
      const logOf = (service: string) => sandbox.path('services', service, 'log/main/current')
      const log = readFileSync(logOf('bass-task-maker-hello'), 'utf8')
      t.match(log, /^@[0-9a-f]{24} 1:hello:.*\n$/, 'each line has its time')
      const heard = () => readFileSync(logOf('bass-reporter'), 'utf8').includes('info: listening on')
      await eventually('standard error is logged too', heard, 60)

      push('sleep 600')
      await eventually('a job', () => sandbox.ls('spool/jobs/cur').some(job => job.startsWith('2:')), 60)
      stop(sandbox, running)
      await eventually('the end of all', () => processes().length === 0, 60)
      t.match(sandbox.ls('spool/tasks/cur').at(-1), /^3:/, 'what it was doing waits for another')
    },
  )
}

function argsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    // It has ended since.
    return []
  }
}

for (const logger of ['multilog', 's6-log', 'svlogd']) {
  test(`with ${logger} logs rotate`, { skip: lacks(logger) }, async t => {
    const sandbox = new Sandbox(t)
    mkdirSync(sandbox.path('path'))
    for (const program of ['sh', 'mkdir', logger]) {
      const { stdout } = spawnSync('sh', ['-c', `command -v ${program}`], { encoding: 'utf8' })
      symlinkSync(stdout.trim(), sandbox.path('path', program))
    }
    mkdirSync(sandbox.path('log'))
    const line = 'x'.repeat(99)
    const { code } = sandbox.run('examples/service/reaper/log/run', [], {
      cwd: 'log',
      env: { PATH: sandbox.path('path') },
      input: `${line}\n`.repeat(150_000),
    })
    t.equal(code, 0)
    const old = sandbox.ls('log/main').filter(name => name.startsWith('@'))
    t.ok(old.length > 3 && old.length <= 10, `${old.length} old files`)
    for (const name of [...old, 'current'])
      t.ok(statSync(sandbox.path('log/main', name)).size < 1_100_000, name)
    t.match(readFileSync(sandbox.path('log/main', old[0]!), 'latin1').slice(0, 127), /^@[0-9a-f]{24} x{99}\n/)
  })
}

test('all log in one way', async t => {
  const directory = join(ROOT, 'examples/service')
  const scripts = readdirSync(directory).map(name => readFileSync(join(directory, name, 'log/run'), 'utf8'))
  t.equal(scripts.length, PROGRAMS.length)
  t.equal(new Set(scripts).size, 1)
})

test(
  'units are such as systemd understands, and masters are well shut in',
  { skip: lacks('systemd-analyze') },
  async t => {
    const sandbox = new Sandbox(t)
    const add = [
      'service',
      'add',
      'units',
      '--systemd',
      '--reaper',
      '--notifier',
      '--reporter',
      '--slots',
      '2',
      '--user',
      'daemon',
    ]
    mkdirSync(sandbox.path('units'))
    sandbox.ok('bin/bass', ['init', 'spool', '--project', 'hello', '--code', ROOT])
    t.equal(
      sandbox.ok('bin/bass', add),
      'systemctl daemon-reload\nsystemctl enable --now bass-reaper bass-notifier bass-reporter bass-task-taker@1 bass-task-taker@2',
    )
    sandbox.ok('bin/bass', ['service', 'add', 'units', '--systemd', '--project', 'hello'])
    sandbox.ok('bin/bass', [
      ...add.slice(0, 4),
      '--fetcher',
      '--farmer',
      '--workers',
      '1',
      '--user',
      'daemon',
    ])
    const units = sandbox.ls('units')
    t.equal(units.length, 8)
    for (const unit of units) {
      const path = sandbox.path('units', unit)
      const { code, stderr } = sandbox.run('systemd-analyze', ['verify', path], {
        env: { SYSTEMD_LOG_LEVEL: 'info' },
      })
      t.same([code, stderr], [0, ''], unit)
      const text = readFileSync(path, 'utf8')
      t.notMatch(text, /\/opt\/bass|\/srv\/bass/)
      t.match(text, unit.includes('maker') ? /^User=bass$/m : /^User=daemon$/m)
      const shut = sandbox.run('systemd-analyze', ['security', '--offline=true', '--threshold=60', path])
      t.equal(shut.code, 0, `${unit}: ${shut.stdout.split('\n').at(-2)!}`)
    }
  },
)
