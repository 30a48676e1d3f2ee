// Runs at fixed times, with Debian's crontab and the crontab of a user that nobody uses.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { cronLine, isBad, parseEntries, replaceLines } from '../../../bin/jci/cron/entries.ts'
import { lacks, Sandbox } from '../../fixtures/sandbox.ts'

type Test = ConstructorParameters<typeof Sandbox>[0]

/** Its crontab is removed when the test is over. */
const USER = 'games'

function setUp(t: Test, path = "it's 100% odd") {
  const sandbox = new Sandbox(t)
  mkdirSync(sandbox.path('bin'))
  writeFileSync(sandbox.path('bin/crontab'), `#!/bin/sh\nexec /usr/bin/crontab -u ${USER} "$@"\n`, {
    mode: 0o755,
  })
  sandbox.env['PATH'] = `${sandbox.path('bin')}:${sandbox.env['PATH']!}`
  sandbox.run('crontab', ['-r'])
  t.teardown(() => void sandbox.run('/usr/bin/crontab', ['-u', USER, '-r']))
  sandbox.git(sandbox.dir, 'init', '-q', '-b', 'main', path)
  mkdirSync(sandbox.path(path, '.jci'))
  writeFileSync(sandbox.path(path, '.jci/run.sh'), 'echo tested\n')
  sandbox.ok('sh', ['-ec', 'git add -A; git commit -qm one'], { cwd: path })
  const configure = (text: string) => writeFileSync(sandbox.path(path, '.jci/crontab'), text)
  const cron = (...args: string[]) => sandbox.run('bin/git-jci', ['cron', ...args], { cwd: path })
  const installed = () => sandbox.run('crontab', ['-l']).stdout
  return { sandbox, configure, cron, installed, path }
}

// Nobody else may speak for another user.
const skip = process.getuid?.() === 0 ? lacks('crontab') : 'needs root'

test('sync leaves one line for each entry, and those of others as they are', { skip }, async t => {
  const { sandbox, configure, cron, installed, path } = setUp(t)
  const others = `# mine\nMAILTO=x\n5 4 * * 1\techo '100\\%  # JCI:no'   \n@daily true # JCI:${'0'.repeat(64)} [other]\n`
  sandbox.ok('crontab', ['-'], { input: others })
  configure('# nightly\n\n30 2 * * 1-5  branch:main   name:nightly\n@weekly\n')
  for (let i = 0; i < 3; i++) t.match(cron('sync'), { code: 0, stdout: '2 lines installed\n' })
  t.ok(installed().startsWith(others))
  const [nightly, weekly, ...more] = installed().slice(others.length).trimEnd().split('\n')
  t.same(more, [])
  t.match(
    nightly,
    /^30 2 \* \* 1-5 cd .* run --commit '?refs\/heads\/main'? .* # JCI:[0-9a-f]{64} \[nightly\]$/,
  )
  t.match(weekly, /^@weekly cd .* --commit '?HEAD'? .* # JCI:[0-9a-f]{64}$/)
  t.match(
    cron('ls').stdout,
    /^configured:\n {2}30 2 \* \* 1-5 {2}main {2}nightly\n {2}@weekly {2}HEAD\ninstalled:\n {2}30 2 /,
  )

  // What cron would do: a percent sign that is not escaped is the end of the command.
  const command = nightly!.split(' ').slice(5).join(' ')
  t.notMatch(command, /[^\\]%/)
  t.equal(
    sandbox.run('sh', ['-c', command.replaceAll('\\%', '%')], { env: { PATH: '/usr/bin:/bin' } }).code,
    0,
  )
  t.match(readFileSync(sandbox.path(path, '.git/jci/cron.log'), 'utf8'), 'tested\n')
  t.match(sandbox.git(sandbox.path(path), 'for-each-ref', 'refs/jci-runs'), /refs\/jci-runs/)

  configure('@hourly name:other\n')
  t.equal(cron('sync').code, 0)
  t.equal(installed().slice(others.length).split('\n').length, 2)
  configure('')
  t.match(cron('sync'), { code: 0, stdout: '0 lines installed\n' })
  t.equal(installed(), others)
})

test('a bad line is an error with its number, and nothing is installed', { skip }, async t => {
  const { configure, cron, installed } = setUp(t, 'code')
  for (const [line, why] of [
    ['* * * *', 'neither five fields'],
    ['61 * * * *', 'bad minute'],
    ['@fortnightly', 'bad time specifier'],
    ['* * * * * rm -rf /', "'rm' is neither"],
    ['@daily branch:--output=x', 'cannot be the name'],
    ['@daily name:a name:b', 'twice'],
    ['@daily name:a]b', 'no name'],
  ] as const) {
    configure(`@daily\n\n${line}\n`)
    const { code, stderr, stdout } = cron('sync')
    t.same([code, stdout], [1, ''], line)
    t.match(stderr, "unable to read line 3 of '.jci/crontab'", line)
    t.match(stderr, why)
    t.notMatch(stderr, '/crontab"', 'no file of ours')
    t.equal(installed(), '')
  }
  configure('@daily')
  t.equal(cron('sync').code, 0)
  for (const args of [[], ['x'], ['ls', 'y']]) t.equal(cron(...args).code, 1)
})

test('a crontab that cannot be read is not taken for an empty one', { skip }, async t => {
  const { sandbox, configure, cron } = setUp(t, 'code')
  configure('@daily\n')
  writeFileSync(
    sandbox.path('bin/crontab'),
    `#!/bin/sh\ncase $1 in -l) echo 'crontab: disk on fire' >&2; exit 1;; -n) exit 0;; esac\ntouch '${sandbox.path('installed')}'\n`,
  )
  t.match(cron('sync'), { code: 1, stderr: /disk on fire/ })
  t.notOk(sandbox.ls().includes('installed'))
})

test('lines, read and replaced', t => {
  const mark = '# JCI:abc'
  const site = { top: '/a b', mark, program: '/p/git-jci', node: '/n', log: '/l' }
  const [entry] = parseEntries('@daily branch:x;y name:z')
  t.equal(
    cronLine(entry as Parameters<typeof cronLine>[0], site),
    "@daily cd '/a b' && PATH=/n:$PATH /p/git-jci run --commit 'refs/heads/x;y' >/l 2>&1 # JCI:abc [z]",
  )
  t.equal(replaceLines('x', ['y'], mark), 'x\ny\n')
  t.equal(replaceLines(`a ${mark}\nb ${mark}d\nc ${mark} [n]\n`, [], mark), `b ${mark}d\n`)
  t.ok(parseEntries('1 2 3').every(isBad))
  t.end()
})
