import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'tap'

import { processesWith } from '../../lib/system/process.ts'
import { eventually, ROOT, Sandbox } from '../fixtures/sandbox.ts'
import { Workshop } from '../fixtures/workshop.ts'

/** The trees in the directory `share` that one may be started from. */
const treesOf = (sandbox: Sandbox) =>
  sandbox.ls('share/.trees').filter(name => !name.startsWith('.') && name !== 'current')

test('a deployed tree runs a job where there are Node and what every system has, and holds no compiled add-on', async t => {
  const shop = new Workshop(t)
  const tree = shop.ok('bin/bass', ['deploy', 'share'])
  shop.touch(shop.commit())
  const [task] = await shop.burst({ targets: ['testarch'] })

  mkdirSync(shop.path('path'))
  for (const name of ['node', 'sh', 'readlink', 'uname', 'mkfifo', 'grep']) {
    const { stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' })
    symlinkSync(name === 'node' ? process.execPath : stdout.trim(), shop.path('path', name))
  }
  mkdirSync(shop.path('slot'))
  shop.ok(shop.path('share/slave/bin/job-starter'), [task!], {
    cwd: 'slot',
    env: { PATH: shop.path('path'), COMPRESSOR: undefined },
  })
  t.equal(readFileSync(shop.path('spool/jobs/cur', task!, 'result.txt'), 'utf8'), 'success\n')

  const all = readdirSync(tree, { recursive: true, encoding: 'utf8' })
  t.same(
    all.filter(path => /\.(node|ts|map)$/.test(path)),
    [],
    'nothing that is for one machine, or for compilers',
  )
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
    devDependencies: Record<string, string>
  }
  for (const name of Object.keys(dependencies)) t.ok(all.includes(`node_modules/${name}/package.json`), name)
  // A dependency may bring one of these too: the lock says so.
  const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>
  }
  const ours = Object.keys(devDependencies).filter(name => packages[`node_modules/${name}`]?.dev)
  t.ok(ours.length > 10)
  for (const name of ours) t.notOk(all.includes(`node_modules/${name}`), name)
})

test('each program of a deployed tree starts, and it can deploy itself', async t => {
  const sandbox = new Sandbox(t)
  sandbox.ok('bin/bass', ['deploy', 'first'])
  sandbox.ok(sandbox.path('first/bin/bass'), ['deploy', 'share'])
  for (const program of ['bin/bass', 'master/bin/task-maker', 'master/bin/reaper', 'slave/bin/task-taker'])
    sandbox.ok(sandbox.path('share', program), ['--version'])

  sandbox.makeSpool()
  const reporter = sandbox.start(sandbox.path('share/master/bin/reporter'), [], {
    env: { REPORTER_LISTEN: '127.0.0.1:0' },
  })
  const url = await eventually('the pages', () => /http:\/\/127[\d.:]+/.exec(reporter.stderr())?.[0])
  const page = await (await fetch(url)).text()
  const style = /href="(\/[^"]*reporter\.css[^"]*)"/.exec(page)?.[1]
  t.equal((await fetch(url + style!)).status, 200, 'the files that pages need are there')
})

test('what runs is replaced between jobs, and no job notices', async t => {
  const sandbox = new Sandbox(t)
  sandbox.ok('git', ['init', '-q', '--bare', '-b', 'main', 'hello.git'])
  sandbox.ok('bin/bass', ['init', 'spool', '--project', 'hello', '--code', 'hello.git', '--hook'])
  sandbox.ok('git', ['init', '-q', 'work'])
  const step = `#!/bin/sh\nuntil [ -e '${sandbox.path('go')}' ]; do sleep 0.1; done\n`
  mkdirSync(sandbox.path('work/.bass'))
  writeFileSync(sandbox.path('work/.bass/1'), step, { mode: 0o755 })
  const push = () => {
    sandbox.ok(
      'sh',
      ['-ec', 'git add .; git commit -qm x --allow-empty; git push -q ../hello.git HEAD:main'],
      {
        cwd: 'work',
      },
    )
  }
  sandbox.ok('bin/bass', ['deploy', 'share'])
  const [first] = treesOf(sandbox)
  sandbox.start(sandbox.path('share/bin/bass'), ['up', 'spool', '--takers', '1'], {
    env: { SPOOL: undefined, MARK: sandbox.dir },
  })
  /** The trees that programs of this name run from. */
  const treesWith = (program: string) =>
    processesWith(`MARK=${sandbox.dir}`).flatMap(pid => {
      const command = spawnSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).stdout
      return new RegExp(`^node .*/share/\\.trees/(.*)/dist/.*/${program}\\.js`).exec(command)?.[1] ?? []
    })
  const steps = (task: string) =>
    sandbox
      .ls('spool/jobs/cur')
      .some(name => name.startsWith(task) && sandbox.ls('spool/jobs/cur', name, 'steps').length > 0)
  const verdict = (task: string) => {
    const name = sandbox.ls('spool/jobs/cur').find(name => name.startsWith(task)) ?? 'none'
    const result = sandbox.path('spool/jobs/cur', name, 'result.txt')
    return sandbox.ls('spool/jobs/cur', name).includes('result.txt') && readFileSync(result, 'utf8')
  }
  push()
  await eventually('a running step', () => steps('1:'), 60)

  sandbox.ok('bin/bass', ['deploy', 'share'])
  const second = treesOf(sandbox).find(name => name !== first)!
  await eventually('a new reaper', () => treesWith('reaper')[0] === second, 60)
  t.same(treesWith('task-taker'), [first], 'the one that runs a job goes on')
  t.equal(verdict('1:'), false)

  writeFileSync(sandbox.path('go'), '')
  t.equal(await eventually('the first verdict', () => verdict('1:'), 60), 'success\n')
  await eventually('a new task-taker', () => treesWith('task-taker')[0] === second, 60)
  push()
  t.equal(await eventually('the second verdict', () => verdict('2:'), 60), 'success\n')
  await eventually('a new task-maker', () => treesWith('task-maker')[0] === second, 60)
})

test('at every instant of a deploy, also of one that is killed, there is a tree that runs', async t => {
  const sandbox = new Sandbox(t)
  sandbox.ok('bin/bass', ['deploy', 'share'])
  const versions = new Set<string>()
  let more = true
  const user = (async () => {
    while (more) {
      const { code, stderr } = await sandbox.start(sandbox.path('share/bin/bass'), ['--version']).ended
      versions.add(`${code} ${stderr}`)
    }
  })()
  for (const after of [400, 800]) {
    const killed = sandbox.start('bin/bass', ['deploy', 'share'])
    await new Promise(done => setTimeout(done, after))
    await killed.kill('SIGKILL')
  }
  t.match(await sandbox.start('bin/bass', ['deploy', 'share']).ended, { code: 0, stderr: '' })
  more = false
  await user
  t.same([...versions], ['0 '])
})

test('two deploys at a time leave one tree that runs', async t => {
  const sandbox = new Sandbox(t)
  const both = [1, 2].map(() => sandbox.start('bin/bass', ['deploy', 'share']))
  for (const { ended } of both) t.match(await ended, { code: 0, stderr: '' })
  t.equal(treesOf(sandbox).length, 2)
  sandbox.ok(sandbox.path('share/bin/bass'), ['--version'])
})

test('a replaced tree stays as long as it was told to, and what a killed deploy left goes with it', async t => {
  const sandbox = new Sandbox(t)
  sandbox.ok('bin/bass', ['deploy', 'share'])
  const long = new Date(Date.now() - 40 * 86_400_000)
  const age = (name: string) => utimesSync(sandbox.path('share/.trees', name), long, long)
  const [first] = treesOf(sandbox)
  // However old it is, it was the one until now.
  age(first!)
  mkdirSync(sandbox.path('share/.trees/.0.1.0-left'))
  age('.0.1.0-left')
  mkdirSync(sandbox.path('share/.trees/.dead-left'))
  sandbox.ok('bin/bass', ['deploy', 'share'])
  t.equal(treesOf(sandbox).length, 2)
  t.same(
    sandbox.ls('share/.trees').filter(name => name.startsWith('.')),
    [],
  )
  sandbox.ok('bin/bass', ['deploy', 'share', '--keep', '0s'])
  t.equal(treesOf(sandbox).length, 1)
})

test('what no deploy has made is never replaced, nor is anything else touched then', async t => {
  const sandbox = new Sandbox(t)
  mkdirSync(sandbox.path('share/lib'), { recursive: true })
  writeFileSync(sandbox.path('share/notes'), 'mine')
  t.match(sandbox.run('bin/bass', ['deploy', 'share']), {
    code: 100,
    stderr: `bass: fatal: unable to deploy to '${sandbox.path('share')}': there is a 'lib' that no deploy has put there\n`,
  })
  t.same(sandbox.ls('share'), ['lib', 'notes'])
  t.ok(lstatSync(sandbox.path('share/lib')).isDirectory())
  t.match(sandbox.run('bin/bass', ['deploy', 'share', '--keep', 'long']).stderr, "'long' is not a time")
})
