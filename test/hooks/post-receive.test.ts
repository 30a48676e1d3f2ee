import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'tap'

import { processesWith } from '../../lib/system/process.ts'
import { GitServer } from '../fixtures/git-server.ts'
import { buildFault, FAULT_NEEDS, FaultState } from '../fixtures/fault.ts'
import { eventually, lacks, Sandbox, ROOT } from '../fixtures/sandbox.ts'

const under = (ref: string, revisions: string[]) => revisions.map(revision => `${ref}/${revision}`)
const sorted = (...events: string[][]) => events.flat().sort()

// What stands for a spool that hangs: the hook makes the directory of a ref with mkdir, and calls sync when its events
// are made. Ours wait for a word where they are asked for an absolute path.
const waiting = (program: string, operand: number) =>
  [
    `case $${operand} in /*) while [ -e "$0" ] && [ ! -e "$0.go" ]; do /bin/sleep 0.05; done ;; esac`,
    `PATH=\${PATH#*:} exec ${program} "$@"`,
  ].join('\n')
const HANGING_MKDIR = waiting('mkdir', 2)
const HANGING_SYNC = waiting('sync', 1)

test('a first push gives every commit from the root on, and says how many', async t => {
  const server = new GitServer(new Sandbox(t))
  const commits = server.commit(3)
  const { code, stdout, stderr } = server.push(['main'])
  t.equal(code, 0)
  t.equal(stdout, '')
  t.match(stderr, /^remote: bass: 3 revisions of refs\/heads\/main queued *\n$/)
  t.same(server.events(), sorted(under('refs/heads/main', commits)))
  await server.settled()
})

test('a push answers with its page, where the settings say where the pages are', async t => {
  const server = new GitServer(new Sandbox(t))
  const { sandbox } = server
  const push = (...refs: string[]) => {
    const { stderr } = server.push(refs, { REPORTER_URL: 'http://of-the-pusher.example' })
    return stderr.split('\n').flatMap(line => /^remote: bass: (http.*?) *$/.exec(line)?.slice(1) ?? [])
  }
  const conf = sandbox.path('spool/conf/hello')
  server.commit()
  t.same(push('main'), [], 'without settings nobody knows')
  mkdirSync(conf, { recursive: true })
  writeFileSync(join(conf, '../rc'), 'REPORTER_URL=https://ci.example.org\n')
  const [second] = server.commit()
  t.same(push('main'), [`https://ci.example.org/project/hello?q=${second!.slice(0, 12)}`])
  writeFileSync(
    join(conf, 'rc'),
    '. "${BASS_RC%/*/*}/rc"\nREPORTER_URL=$REPORTER_URL:8443/\necho noise\n[ -n "" ] && echo more\n',
  )
  server.commit(2)
  t.same(
    push('main', 'main:other'),
    ['https://ci.example.org:8443/project/hello'],
    'of several refs the project',
  )
  for (const rc of ['if', 'exit 3', 'REPORTER_URL=/nowhere', 'unset REPORTER_URL']) {
    writeFileSync(join(conf, 'rc'), `${rc}\n`)
    const [revision] = server.commit()
    t.same(push('main'), [], rc)
    t.ok(server.events().includes(`refs/heads/main/${revision!}`), 'the event is made all the same')
  }
  await server.settled()
})

test('events come in the order of git rev-list --reverse', async t => {
  const server = new GitServer(new Sandbox(t))
  const [first] = server.commit(2)
  server.git('checkout', '-q', '-b', 'side')
  server.commit(2)
  server.git('checkout', '-q', 'main')
  server.commit(1)
  server.git('merge', '-q', '--no-edit', 'side')
  // A directory in the place of the first event: all of them are left, and say so in the order of making.
  mkdirSync(join(server.revs, 'refs/heads/main', first!), { recursive: true })
  const { stderr } = server.push(['main'])
  t.match(
    stderr,
    /^remote: post-receive: warning: unable to make events in '.*refs\/heads\/main': .*; the next push tries again *\n$/,
  )
  const lines = await eventually('one file is left', () => {
    const [file, ...more] = server.pending().values()
    return more.length === 0 && file?.split('\n').filter(line => line !== '' && !line.startsWith('@'))
  })
  const order = server.git('rev-list', '--reverse', 'main').split('\n')
  t.same(
    lines,
    order.map(revision => `${revision} refs/heads/main`),
  )
  rmSync(join(server.revs, 'refs/heads/main', first!), { recursive: true })
  server.push(['main:other'])
  t.same(server.events(), sorted(under('refs/heads/main', order), under('refs/heads/other', order.slice(-1))))
  await server.settled()
})

test('each ref of a push is compared with what was there before that push', async t => {
  const server = new GitServer(new Sandbox(t))
  server.commit(2)
  server.push(['main'])
  const before = server.events()
  const onMain = server.commit(2)
  server.git('checkout', '-q', '-b', 'feature/x')
  const onFeature = server.commit(2)
  server.git('branch', 'twin')
  const { stderr } = server.push(['main', 'feature/x', 'twin'])
  // What they share is given by those whose tip it is, or else by the ref that git names first.
  t.match(stderr, /bass: 5 revisions of 3 refs queued/)
  const [shared, tip] = [[...onMain, onFeature[0]!], onFeature[1]!]
  const made = server.events().filter(event => !before.includes(event))
  t.same(made.map(event => basename(event)).sort(), [...shared, tip, tip].sort())
  t.ok(made.includes(`refs/heads/main/${onMain[1]!}`))
  for (const ref of ['feature/x', 'twin']) t.ok(made.includes(`refs/heads/${ref}/${tip}`), 'always the tip')
})

test('a new branch gives what no other ref had, and always its tip', async t => {
  const server = new GitServer(new Sandbox(t))
  const [, tip] = server.commit(2)
  server.push(['main'])
  const before = server.events()
  server.push(['main:same'])
  t.same(server.events(), sorted(before, under('refs/heads/same', [tip!])))
  server.git('checkout', '-q', '-b', 'next')
  const next = server.commit(1)
  server.push(['next'])
  t.same(server.events(), sorted(before, under('refs/heads/same', [tip!]), under('refs/heads/next', next)))
})

test('a deletion gives nothing, and a renamed branch its tip', async t => {
  const server = new GitServer(new Sandbox(t))
  const commits = server.commit(3)
  server.push(['main:old', 'main:gone'])
  const before = server.events()
  t.equal(server.push([':gone']).stderr, '')
  t.same(server.events(), before)
  server.push([':old', 'main:new'])
  t.same(server.events(), sorted(before, under('refs/heads/new', commits.slice(-1))))
  await server.settled()
})

test('a tag gives the commit that it points to, a tag of anything else nothing', async t => {
  const server = new GitServer(new Sandbox(t))
  const [first, second] = server.commit(2)
  server.git('tag', 'light')
  server.git('tag', '-am', 'annotated', 'v1', first!)
  server.git('tag', '-am', 'a tag of a tag', 'v1-signed', 'v1')
  server.git('tag', '-am', 'a tree', 'tree', 'main^{tree}')
  server.git('tag', 'blob', server.sandbox.ok('git', ['hash-object', '-w', '--stdin'], { cwd: server.work }))
  const { stderr } = server.push(['light', 'v1', 'v1-signed', 'tree', 'blob'])
  t.match(stderr, /^remote: bass: 3 revisions of 3 refs queued *\n$/)
  t.same(
    server.events(),
    sorted(
      under('refs/tags/light', [second!]),
      under('refs/tags/v1', [first!]),
      under('refs/tags/v1-signed', [first!]),
    ),
  )
  await server.settled()
})

test('a forced update gives what is new to the ref, and going back gives nothing', async t => {
  const server = new GitServer(new Sandbox(t))
  const commits = server.commit(3)
  server.push(['main'])
  const before = server.events()
  server.git('reset', '-q', '--hard', commits[0]!)
  const other = server.commit(2)
  server.push(['+main'])
  t.same(server.events(), sorted(before, under('refs/heads/main', other)))
  t.equal(server.push([`+${commits[0]!}:refs/heads/main`]).stderr, '')
  t.same(server.events(), sorted(before, under('refs/heads/main', other)))
})

test('a repository with SHA-256 works alike', async t => {
  const server = new GitServer(new Sandbox(t), 'sha256')
  const commits = server.commit(2)
  server.git('tag', '-am', 'annotated', 'v1')
  server.push(['main', 'v1'])
  server.push([':main', 'main:next'])
  t.equal(commits[0]!.length, 64)
  t.same(
    server.events(),
    sorted(
      under('refs/heads/main', commits),
      under('refs/heads/next', commits.slice(1)),
      under('refs/tags/v1', commits.slice(1)),
    ),
  )
})

test('a ref may have any name that git allows', async t => {
  const server = new GitServer(new Sandbox(t))
  const [commit] = server.commit(1)
  const names = [
    'feature/x',
    'a+b@c',
    '-n',
    '$(touch${IFS}owned)',
    "it's",
    '`id`',
    'a;b|c&d',
    '100%s',
    '{a,b}',
    'é',
    '"',
    '!#',
  ]
  const refs = names.map(name => `refs/heads/${name}`)
  server.push(refs.map(ref => `main:${ref}`))
  t.same(server.events(), sorted(refs.map(ref => `${ref}/${commit!}`)))
  t.same(server.sandbox.ls('server.git').includes('owned'), false)
})

test('bass.refs chooses refs by patterns for the whole name or for the branch', async t => {
  const server = new GitServer(new Sandbox(t))
  const [commit] = server.commit(1)
  server.config('--add', 'bass.refs', 'main')
  server.config('--add', 'bass.refs', 'release/*')
  server.config('--add', 'bass.refs', 'refs/tags/v[0-9]*')
  const chosen = ['refs/heads/main', 'refs/heads/release/1/x', 'refs/tags/v1']
  server.push([...chosen, 'refs/heads/maintain', 'refs/tags/x1', 'refs/notes/n'].map(ref => `main:${ref}`))
  t.same(server.events(), sorted(chosen.map(ref => `${ref}/${commit!}`)))
  await server.settled()
})

test('results that are pushed are not built, unless bass.refs says so', async t => {
  const server = new GitServer(new Sandbox(t))
  const [commit] = server.commit(1)
  const result = `refs/jci-runs/${commit!}/1`
  server.push([`main:${result}`])
  t.same(server.events(), [])
  server.config('bass.refs', 'refs/jci-runs/*')
  server.push([`main:${result}2`])
  t.same(server.events(), [`${result}2/${commit!}`])
  await server.settled()
})

test('bass.revisions tip gives the tip of each ref alone', async t => {
  const server = new GitServer(new Sandbox(t))
  server.config('bass.revisions', 'tip')
  const commits = server.commit(3)
  server.push(['main'])
  const more = server.commit(3)
  server.push(['main'])
  t.same(server.events(), sorted(under('refs/heads/main', [commits[2]!, more[2]!])))
})

test('bass.maxRevisions keeps the newest and says so', async t => {
  const server = new GitServer(new Sandbox(t))
  server.config('bass.maxRevisions', '2')
  const commits = server.commit(4)
  const { stderr } = server.push(['main'])
  t.match(stderr, /bass: only the newest 2 revisions of refs\/heads\/main are queued \(bass.maxRevisions\)/)
  t.same(server.events(), sorted(under('refs/heads/main', commits.slice(2))))
  const two = server.commit(2)
  t.notMatch(server.push(['main']).stderr, /only the newest/)
  t.same(server.events(), sorted(under('refs/heads/main', [...commits.slice(2), ...two])))
})

test('600 commits at once are 100 events, or 600 without a limit', async t => {
  const server = new GitServer(new Sandbox(t))
  const commit = (n: number) => `commit refs/heads/main\ncommitter A <a@b> ${1e9 + n} +0000\ndata 0\n\n`
  const history = Array.from({ length: 600 }, (_, n) => commit(n)).join('')
  server.sandbox.ok('git', ['fast-import', '--quiet'], { cwd: server.work, input: history })
  server.push(['main'])
  t.equal(server.events().length, 100)
  server.config('bass.maxRevisions', '0')
  server.push([':main'])
  server.push(['main:all'])
  t.same(
    server.events().filter(event => event.includes('/all/')),
    sorted(under('refs/heads/all', server.git('rev-list', 'main').split('\n'))),
  )
})

test('what is configured in the repository goes before $REVS of the environment', async t => {
  const server = new GitServer(new Sandbox(t))
  const elsewhere = server.sandbox.path('elsewhere')
  mkdirSync(elsewhere)
  server.commit(1)
  server.push(['main'], { REVS: elsewhere })
  t.equal(server.events().length, 1)
  t.same(server.sandbox.ls('elsewhere'), [])
  server.config('--unset', 'bass.revs')
  server.push(['main:other'], { REVS: elsewhere })
  t.equal(server.events().length, 1)
  t.same(server.sandbox.ls('elsewhere/refs/heads'), ['other'])
})

test('an event that is there keeps its lines', async t => {
  const server = new GitServer(new Sandbox(t))
  const [commit] = server.commit(1)
  mkdirSync(join(server.revs, 'refs/heads/main'), { recursive: true })
  const event = join(server.revs, 'refs/heads/main', commit!)
  writeFileSync(event, 'KEY=VALUE\n')
  server.push(['main'], { GL_USER: 'ada' })
  t.equal(readFileSync(event, 'utf8'), 'KEY=VALUE\n')
})

test('an event says who pushed it where the server names him, also where the next hook makes it', async t => {
  const server = new GitServer(new Sandbox(t))
  const pushers: [Record<string, string>, string][] = [
    [{ GL_USER: 'ada', LOGNAME: 'git' }, 'PUSHER=ada\n'],
    [{ GITEA_PUSHER_NAME: 'grace' }, 'PUSHER=grace\n'],
    [{ REMOTE_USER: 'ada@example.org' }, 'PUSHER=ada@example.org\n'],
    [{ SSH_CONNECTION: '::1 1 ::1 22', LOGNAME: 'barbara' }, 'PUSHER=barbara\n'],
    [{ SSH_CONNECTION: '::1 1 ::1 22', LOGNAME: 'git' }, ''],
    [{ LOGNAME: 'edsger' }, ''],
    [{ GL_USER: 'x\nEVIL=1' }, ''],
    [{ GL_USER: '-x $(id)' }, ''],
  ]
  const pushed = pushers.map(([env, line]) => {
    const [commit] = server.commit(1)
    server.push(['main'], env)
    return [commit!, line] as const
  })
  await server.settled()

  rmSync(join(server.revs, 'refs/heads/late'), { recursive: true, force: true })
  writeFileSync(join(server.revs, 'refs/heads/late'), '')
  server.commit(1)
  server.push(['main:late'], { GL_USER: 'ada' })
  server.commit(1)
  server.push(['main:late'])
  rmSync(join(server.revs, 'refs/heads/late'))
  await server.hooksOver()
  server.push(['main:other'], { GL_USER: 'grace' })
  await server.settled()
  const lines = (ref: string, commit: string) =>
    readFileSync(join(server.revs, 'refs/heads', ref, commit), 'utf8')
  const base = (commit: string) => `BASE=${commit}^\n`
  for (const [commit, line] of pushed) t.equal(lines('main', commit), line + base(commit))
  const [before, last] = server.git('rev-list', '--max-count=2', '--reverse', 'main').split('\n')
  t.equal(lines('late', before!), 'PUSHER=ada\n' + base(before!))
  t.equal(lines('late', last!), base(last!))
  t.equal(lines('other', last!), 'PUSHER=grace\n' + base(last!))
})

test('an event says what its commit is to be compared with', async t => {
  const server = new GitServer(new Sandbox(t))
  const lines = (ref: string, commit: string) => readFileSync(join(server.revs, ref, commit), 'utf8')
  const [first, second] = server.commit(2)
  server.push(['main'])
  t.equal(lines('refs/heads/main', first!), `BASE=${first!}^\n`)
  t.equal(lines('refs/heads/main', second!), `BASE=${second!}^\n`, 'each with its first parent')
  server.push(['main:refs/tags/v1'])
  t.equal(lines('refs/tags/v1', second!), '', 'a tag with nothing')

  server.config('bass.revisions', 'tip')
  const third = server.commit(3).at(-1)!
  server.push(['main'])
  t.equal(lines('refs/heads/main', third), `BASE=${second!}\n`, 'a tip with what the branch was')
  const topic = server.commit(2).at(-1)!
  server.push([`${topic}:refs/heads/topic`])
  t.equal(
    lines('refs/heads/topic', topic),
    `BASE=${third}\n`,
    'a new branch with where it left the default branch',
  )
})

test('the first tip of the default branch is compared with nothing', async t => {
  const server = new GitServer(new Sandbox(t))
  server.config('bass.revisions', 'tip')
  const tip = server.commit(2).at(-1)!
  server.push(['main'])
  t.equal(readFileSync(join(server.revs, 'refs/heads/main', tip), 'utf8'), '')
})

test('an event that was taken does not come back with the next push', async t => {
  const server = new GitServer(new Sandbox(t))
  server.commit(2)
  server.push(['main'])
  await server.settled()
  for (const event of server.events()) unlinkSync(join(server.revs, event))
  const next = server.commit(1)
  server.push(['main'])
  t.same(server.events(), under('refs/heads/main', next))
})

test('settings that make no sense are told in one line, and the push is worked off once they do', async t => {
  const server = new GitServer(new Sandbox(t))
  const commits: string[] = []
  for (const [key, value, why] of [
    ['bass.revs', '', /unable to read 'bass.revs': neither it nor REVS is set/],
    ['bass.maxRevisions', '1e3', /unable to read 'bass.maxRevisions': '1e3' is not a number/],
    ['bass.maxRevisions', '010', /unable to read 'bass.maxRevisions': '010' is not a number/],
    ['bass.revisions', 'some', /unable to read 'bass.revisions': 'some' is neither 'tip' nor 'all'/],
  ] as const) {
    commits.push(...server.commit(1))
    server.config(key, value)
    const { stderr } = server.push(['main'])
    t.match(stderr, why)
    t.match(stderr, /^remote: post-receive: fatal: [^\n]*\n$/)
    server.config('--unset', key)
    server.config('bass.revs', server.revs)
  }
  t.same(server.events(), [])
  // Without a push: the hook with empty input.
  t.equal(server.sandbox.run('hooks/post-receive', [], { cwd: server.repository }).code, 0)
  t.same(server.events(), sorted(under('refs/heads/main', commits)))
  await server.settled()
})

test('a spool that is away is told, not made, and gets its events with the next push', async t => {
  const server = new GitServer(new Sandbox(t))
  const commits = server.commit(2)
  rmSync(server.revs, { recursive: true })
  t.match(
    server.push(['main']).stderr,
    /unable to make events in '.*': no such directory; the next push tries again/,
  )
  t.same(server.sandbox.ls('spool/revs'), [])
  mkdirSync(server.revs)
  commits.push(...server.commit(1))
  server.push(['main'])
  t.same(server.events(), sorted(under('refs/heads/main', commits)))
  await server.settled()
})

test('a spool that hangs holds the pusher for 10 s, and the work goes on behind', async t => {
  const server = new GitServer(new Sandbox(t))
  const commits = server.commit(2)
  // Ten seconds pass quicker here.
  server.shim('sleep', 'echo "$1" >>"$0.asked"\nexec /bin/sleep 0.3')
  const { code, stderr } = server.push(['main'], { PATH: server.shim('mkdir', HANGING_MKDIR) })
  t.equal(code, 0)
  t.match(stderr, /^remote: post-receive: warning: unable to fill '.*hello' within 10 s: [^\n]*\n$/)
  t.match(readFileSync(server.sandbox.path('shims/sleep.asked'), 'utf8'), /^10\n/)
  t.same(server.events(), [])
  // Another push leaves alone what is somebody's, and does not rely on it.
  t.match(server.push(['main:other']).stderr, /bass: 2 revisions of refs\/heads\/other queued/)
  t.same(server.events(), sorted(under('refs/heads/other', commits)))
  writeFileSync(server.sandbox.path('shims/mkdir.go'), '')
  await server.settled()
  t.same(server.events(), sorted(under('refs/heads/main', commits), under('refs/heads/other', commits)))
})

test('what has waited long enough is not killed: its pid may be another process by then', async t => {
  const server = new GitServer(new Sandbox(t))
  const killed = server.sandbox.path('killed')
  const hook = join(server.repository, 'hooks/post-receive')
  const text = readFileSync(hook, 'utf8')
  unlinkSync(hook)
  writeFileSync(
    hook,
    text.replace(/^set -f$/m, `kill() { echo "$1" >>'${killed}'; command kill "$1"; }\nset -f`),
    {
      mode: 0o755,
    },
  )
  server.commit(1)
  server.push(['main'], { BASS_ROOT: ROOT })
  await server.settled()
  const once = readFileSync(killed, 'utf8')
  t.match(once, /^\d+\n$/, 'a push that is quick lets the pusher go')
  server.shim('sleep', 'exec /bin/sleep 0.3')
  const path = server.shim('mkdir', HANGING_MKDIR)
  t.match(server.push(['main:other'], { BASS_ROOT: ROOT, PATH: path }).stderr, 'within 10 s')
  writeFileSync(server.sandbox.path('shims/mkdir.go'), '')
  await server.settled()
  t.equal(readFileSync(killed, 'utf8'), once)
})

test('what a killed hook had to do is done by the next one, as it was then', async t => {
  const server = new GitServer(new Sandbox(t))
  server.commit(1)
  server.push(['main'])
  const before = server.events()
  server.git('checkout', '-q', '-b', 'feature')
  const commits = server.commit(3)
  const PATH = server.shim('mkdir', HANGING_MKDIR)
  const push = server.startPush(['feature'], { PATH })
  const pids = await eventually('the hook is at work', () => {
    const [name, text] = [...server.pending()][0] ?? ['', '']
    const worker = /^@ (\d+)/m.exec(text)?.[1]
    return worker === undefined ? undefined : [Number(name.split('.')[0]), Number(worker)]
  })
  for (const pid of pids) process.kill(pid, 'SIGKILL')
  await push.ended
  t.same(server.events(), before)
  // Now main has these commits as well, but it had not when feature was made.
  server.push(['feature:main'])
  t.same(
    server.events(),
    sorted(before, under('refs/heads/feature', commits), under('refs/heads/main', commits)),
  )
  writeFileSync(server.sandbox.path('shims/mkdir.go'), '')
  await server.settled()
  // Its orphan makes a directory yet.
  await eventually('nothing of that push is left', () => processesWith(`PATH=${PATH}`).length === 0)
})

test('a push whose events were made and are lost in a power cut is worked off whole', async t => {
  const server = new GitServer(new Sandbox(t))
  const commits = server.commit(3)
  server.push(['main'])
  await server.settled()
  rmSync(join(server.revs, 'refs'), { recursive: true })
  const pending = join(server.repository, 'bass-pending/1.1')
  writeFileSync(pending, `${'0'.repeat(40)} ${commits.at(-1)!} refs/heads/main\n@ 1 1\nover\n`)
  t.equal(server.sandbox.run('hooks/post-receive', [], { cwd: server.repository }).code, 0)
  t.same(server.events(), sorted(under('refs/heads/main', commits)))
  await server.settled()
})

test('what is made counts as made while it is still brought to the disk', async t => {
  const server = new GitServer(new Sandbox(t))
  const commits = server.commit(2)
  server.push(['main'], { PATH: server.shim('sync', HANGING_SYNC) })
  t.same(server.events(), sorted(under('refs/heads/main', commits)))
  t.equal(server.pending().size, 1)
  server.push(['main:other'])
  t.same(
    server.events(),
    sorted(under('refs/heads/main', commits), under('refs/heads/other', commits.slice(1))),
  )
  writeFileSync(server.sandbox.path('shims/sync.go'), '')
  await server.settled()
})

test('what a hook leaves for the next is its own while it lives', async t => {
  const server = new GitServer(new Sandbox(t))
  const [commit] = server.commit(1)
  mkdirSync(join(server.revs, 'refs/heads'), { recursive: true })
  writeFileSync(join(server.revs, 'refs/heads/late'), '')
  server.push(['main', 'main:late'], { PATH: server.shim('sync', HANGING_SYNC) })
  rmSync(join(server.revs, 'refs/heads/late'))
  server.push(['main:other'])
  const made = (refs: string[]) => refs.map(ref => `refs/heads/${ref}/${commit!}`)
  t.same(server.events(), made(['main', 'other']))
  // As long as it is there, it can be made durable; so what was done is forgotten, and never done again.
  writeFileSync(server.sandbox.path('shims/sync.go'), '')
  await server.hooksOver()
  t.equal(server.pending().size, 1)
  server.push(['main:another'])
  await server.settled()
  t.same(server.events(), made(['another', 'late', 'main', 'other']))
})

test('nothing is said to be queued before what is to be done is on the disk', async t => {
  const server = new GitServer(new Sandbox(t))
  const commits = server.commit(1)
  // The sync of what is written down ends at a word; that of the events is not held up.
  const log = server.sandbox.path('synced')
  const slow = [
    `(PATH=\${PATH#*:} && exec sync "$@") && echo "$@" >>'${log}' || exit`,
    `case $1 in bass-pending/*) while [ -e "$0" ] && [ ! -e "$0.go" ]; do /bin/sleep 0.05; done ;; esac`,
  ].join('\n')
  const push = server.startPush(['main'], { PATH: server.shim('sync', slow) })
  await eventually('the event', () => server.events().length === 1)
  await eventually('the end of the work', () => {
    const pending = [...server.pending().values()]
    return pending.length === 0 || pending.join('').includes('over')
  })
  await new Promise(done => setTimeout(done, 300))
  t.notMatch(push.stderr(), 'queued')
  writeFileSync(server.sandbox.path('shims/sync.go'), '')
  t.match((await push.ended).stderr, /bass: 1 revision of refs\/heads\/main queued/)
  t.match(
    readFileSync(log, 'utf8'),
    /^bass-pending\/[\d.]+ bass-pending \.$/m,
    'the file, its name, and that of its directory',
  )
  t.same(server.events(), under('refs/heads/main', commits))
  await server.settled()
})

test('what a disk does not take is not said to be queued', { skip: lacks(...FAULT_NEEDS) }, async t => {
  const server = new GitServer(new Sandbox(t))
  server.commit(1)
  const state = new FaultState(buildFault(server.sandbox.dir), server.sandbox.path('fault'))
  const env = { ...state.environment(server.repository, 'sync', '1+:EIO'), FAULT_ONLY: 'fsync bass-pending' }
  // A file that is gone already is on the disk as events: it stays until the hook has looked.
  const PATH = server.shim('rm', 'sleep 2; exec /bin/rm "$@"')
  const { stderr } = server.push(['main'], { ...env, PATH })
  t.ok(state.fired)
  t.notMatch(stderr, 'queued\n')
  t.notMatch(stderr, 'revision of')
  t.match(
    stderr,
    /warning: unable to write '.*bass-pending\/.*' to the disk: what is queued may be lost in a power cut/,
  )
  await server.settled()
})

test(
  'whatever umask a pusher has, others of the group can take the events of a shared spool',
  { skip: process.getuid?.() === 0 ? lacks('setpriv') : 'needs root' },
  async t => {
    const server = new GitServer(new Sandbox(t))
    const commits = server.commit(2)
    chmodSync(server.sandbox.dir, 0o755)
    chownSync(server.revs, 0, 65533)
    chmodSync(server.revs, 0o2770)
    const before = process.umask(0o077)
    try {
      server.push(['main'])
    } finally {
      process.umask(before)
    }
    await server.settled()
    const other = ['--reuid=65534', '--regid=65533', '--clear-groups', '--']
    const heads = join(server.revs, 'refs/heads/main')
    const [first, second] = commits.map(commit => join(heads, commit))
    // Read, moved and deleted, as a task-maker does, the directories too.
    server.sandbox.ok('setpriv', [...other, 'cat', first!, second!])
    server.sandbox.ok('setpriv', [...other, 'mv', first!, join(server.revs, 'taken')])
    server.sandbox.ok('setpriv', [...other, 'rm', second!])
    server.sandbox.ok('setpriv', [...other, 'rmdir', heads, join(server.revs, 'refs/heads')])
    t.same(server.events(), ['taken'])
  },
)

test('pushes at the same time each give their events', async t => {
  const server = new GitServer(new Sandbox(t))
  server.commit(1)
  server.push(['main'])
  const expected = server.events()
  const refs = Array.from({ length: 8 }, (_, n) => `refs/heads/b${n}`)
  for (const ref of refs) {
    server.git('checkout', '-q', '--detach', 'main')
    expected.push(...under(ref, server.commit(2)))
    server.git('update-ref', ref, 'HEAD')
  }
  const ended = await Promise.all(refs.map(ref => server.startPush([ref]).ended))
  t.same(
    ended.map(({ code }) => code),
    refs.map(() => 0),
  )
  t.same(server.events(), expected.sort())
  await server.settled()
})

/** A server to which only the first half of the hook was copied. */
function withFirstHalf(t: ConstructorParameters<typeof Sandbox>[0]) {
  const server = new GitServer(new Sandbox(t))
  const hooks = join(server.repository, 'hooks')
  unlinkSync(join(hooks, 'post-receive'))
  copyFileSync(join(ROOT, 'hooks/post-receive'), join(hooks, 'post-receive'))
  return { server, hooks }
}

test('a hook without its second half says so, and loses nothing', async t => {
  const { server, hooks } = withFirstHalf(t)
  server.commit(1)
  t.match(
    server.push(['main']).stderr,
    /^remote: post-receive: fatal: unable to run '.*hooks\/bass-work-off': it is not there; copy it [^\n]*\n$/,
  )
  t.same(server.events(), [])
  copyFileSync(join(ROOT, 'hooks/bass-work-off'), join(hooks, 'bass-work-off'))
  t.equal(server.sandbox.run('hooks/post-receive', [], { cwd: server.repository }).code, 0)
  t.equal(server.events().length, 1)
  await server.settled()
})

test('the second half is found above a directory of hooks, and in BASS where the first was copied alone', async t => {
  const { server, hooks } = withFirstHalf(t)
  server.commit(1)
  t.match(server.push(['main'], { BASS_ROOT: ROOT }).stderr, /bass: 1 revision of refs\/heads\/main queued/)

  mkdirSync(join(hooks, 'post-receive.d'))
  renameSync(join(hooks, 'post-receive'), join(hooks, 'post-receive.d/bass'))
  copyFileSync(join(ROOT, 'hooks/bass-work-off'), join(hooks, 'bass-work-off'))
  const all = '#!/bin/sh\ndata=$(cat)\nfor hook in hooks/post-receive.d/*; do echo "$data" | "$hook"; done\n'
  writeFileSync(join(hooks, 'post-receive'), all, { mode: 0o755 })
  server.commit(1)
  t.match(server.push(['main']).stderr, /bass: 1 revision of refs\/heads\/main queued/)
  t.equal(server.events().length, 2)
  await server.settled()
})

test('the hook is whole in itself: a copy without BASS around it works', async t => {
  const server = new GitServer(new Sandbox(t))
  unlinkSync(join(server.repository, 'hooks/post-receive'))
  for (const file of ['hooks/post-receive', 'hooks/bass-work-off'])
    copyFileSync(join(ROOT, file), join(server.repository, file))
  server.commit(1)
  const PATH = server.sandbox.path('path')
  mkdirSync(PATH)
  for (const program of [
    'git',
    'sh',
    'awk',
    'cat',
    'grep',
    'mkdir',
    'mv',
    'rm',
    'sleep',
    'sync',
    'touch',
    'xargs',
  ]) {
    server.sandbox.ok('ln', ['-s', server.sandbox.ok('sh', ['-c', `command -v ${program}`]), PATH])
  }
  t.match(server.push(['main'], { PATH }).stderr, /bass: 1 revision of refs\/heads\/main queued/)
  t.equal(server.events().length, 1)
  await server.settled()
})
