// bass exec in containers of a real podman: what goes there, what comes back, and how it ends.

import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import tap, { test } from 'tap'

import { lacksPodman, Podman } from '../fixtures/podman.ts'
import { eventually, Sandbox } from '../fixtures/sandbox.ts'

const skip = lacksPodman()
const podman = skip ? undefined : new Podman(tap, new Sandbox(tap))
podman?.importBusybox()

tap.setTimeout(300_000)

/** A repository `code` with files `a` and `d/b` and an ignored one, and a way to run a script on a copy of it. */
function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  sandbox.ok('git', ['init', '-q', 'code'])
  const at = (...names: string[]) => sandbox.path('code', ...names)
  mkdirSync(at('d'))
  for (const [name, text] of Object.entries({
    a: 'one\n',
    'd/b': 'two\n',
    ignored: 'x\n',
    '.gitignore': 'ignored\n',
  }))
    writeFileSync(at(name), text)
  const words = (options: readonly string[], script: string) => [
    ...['exec', '--in', 'busy:1', ...options, '--', 'sh', '-c', script],
  ]
  const exec = (options: readonly string[], script: string, cwd = 'code', input?: string) => {
    const { code, stdout, stderr } = sandbox.run('bin/bass', words(options, script), {
      cwd,
      env: podman!.env,
      ...(input === undefined ? {} : { input }),
    })
    return { code, stdout, stderr }
  }
  const start = (script: string) =>
    sandbox.start('bin/bass', words([], script), { cwd: 'code', env: podman!.env })
  const read = (...names: string[]) => readFileSync(at(...names), 'utf8')
  return { sandbox, at, read, exec, start }
}

test('two at once, where the engine has no executor yet, both do their work', { skip }, async t => {
  const { start } = make(t)
  const ended = await Promise.all(['echo 1; exit 4', 'echo 2; exit 5'].map(script => start(script).ended))
  t.same(
    ended.map(({ code, stdout }) => [code, stdout]),
    [
      [4, '1\n'],
      [5, '2\n'],
    ],
  )
  t.equal(podman!.ask('volume', 'ls', '--quiet', '--filter', 'label=bass.maker').split('\n').length, 1)
  t.equal(podman!.ask('ps', '--all', '--quiet'), '')
})

test(
  'the files that git does not ignore go there; what was changed comes back, what was deleted is named',
  { skip },
  t => {
    const { exec, at, read } = make(t)
    const script =
      'find . -type f | sort; echo more >> b; echo new > ../n; chmod 755 ../a; rm ../.gitignore; mkdir ../e; exit 3'
    t.same(exec([], `pwd; cd ..; find . -type f | sort; cd d; ${script}`, 'code/d'), {
      code: 3,
      stdout: '/bass/work/d\n./.gitignore\n./a\n./d/b\n./b\n',
      stderr: "bass: info: it deleted '.gitignore'\n",
    })
    t.equal(read('d/b'), 'two\nmore\n')
    t.equal(read('n'), 'new\n')
    t.equal(lstatSync(at('a')).mode & 0o777, 0o755)
    t.ok(existsSync(at('e')) && existsSync(at('.gitignore')))
    t.same(exec(['--delete'], 'rm -r d .gitignore'), { code: 0, stdout: '', stderr: '' })
    t.notOk(existsSync(at('d')) || existsSync(at('.gitignore')))
    t.equal(exec(['--all'], 'cat ignored; test ! -e .git').stdout, 'x\n')
    t.end()
  },
)

test('--out takes all that comes back and all that is deleted, and nothing else is touched', { skip }, t => {
  const { exec, sandbox, read } = make(t)
  mkdirSync(sandbox.path('out'))
  writeFileSync(sandbox.path('out/a'), 'mine\n')
  const { stderr } = exec(['--out', '../out', '--delete'], 'rm a; echo more >> d/b')
  t.equal(stderr, '')
  t.same(sandbox.ls('out'), ['d'])
  t.equal(readFileSync(sandbox.path('out/d/b'), 'utf8'), 'two\nmore\n')
  t.same([read('a'), read('d/b')], ['one\n', 'two\n'])
  t.same(sandbox.ls('code'), ['.git', '.gitignore', 'a', 'd', 'ignored'])
  t.end()
})

test('--map copies what it names to where it says, and nothing else', { skip }, t => {
  const { exec, sandbox, read } = make(t)
  const there = exec(
    ['--map', 'd:x/y', '--map', 'ignored:.', '--map', 'a:x/z'],
    'find . -type f | sort; echo 3 >> x/y/b',
  )
  t.same(there, { code: 0, stdout: './ignored\n./x/y/b\n./x/z\n', stderr: '' })
  t.equal(read('x/y/b'), 'two\n3\n')
  t.equal(read('d/b'), 'two\n')
  const WRONG = [['a'], ['a:/etc'], ['a:..'], ['a:x/../../y'], [':x'], ['nothing:x']]
  const TWICE = [
    ['a:x', 'd/b:x'],
    ['a:x', 'd:x/y'],
    ['d:x/y', 'a:x'],
  ]
  for (const maps of [...WRONG, ...TWICE]) {
    const { code, stderr } = exec(
      maps.flatMap(map => ['--map', map]),
      'true',
    )
    t.equal(code, 100, maps.join())
    t.match(stderr, /^bass: fatal: unable to (understand|copy) .*\n$/)
  }
  t.same(sandbox.ls('.').sort(), ['code', 'jobtmp'])
  t.end()
})

test('any name goes there and comes back', { skip }, t => {
  const { exec, at } = make(t)
  const bytes = (name: string) => Buffer.concat([Buffer.from(`${at()}/`), Buffer.from(name, 'latin1')])
  const names = ['line\nfeed', 'b\xff\xfe', '-dash', ' ', 'x'.repeat(255)]
  for (const name of names) writeFileSync(bytes(name), '1\n')
  const there = exec(['--delete'], 'for f in *; do [ -d "$f" ] || echo 2 >>"$f"; done; rm -- -dash')
  t.same(there, { code: 0, stdout: '', stderr: '' })
  for (const name of names.filter(name => name !== '-dash'))
    t.equal(readFileSync(bytes(name), 'utf8'), '1\n2\n', JSON.stringify(name))
  t.throws(() => lstatSync(at('-dash')), { code: 'ENOENT' })
  t.end()
})

test('an --out that cannot be a directory is a sentence, before anything is run', { skip }, t => {
  const { exec } = make(t)
  for (const [out, code] of [
    ['a', 100],
    ['a/x', 100],
    // Where a directory is made, and is not there.
    ['/proc/nowhere/x', 111],
  ] as const) {
    const there = exec(['--out', out], 'echo ran')
    t.match(there, { code, stdout: '', stderr: /^bass: fatal: unable to .*\n$/ })
  }
  t.end()
})

test('what comes back is written through no link, and never outside', { skip }, t => {
  const { exec, sandbox, at } = make(t)
  mkdirSync(sandbox.path('outside'))
  writeFileSync(sandbox.path('outside/keep'), 'mine\n')
  symlinkSync(sandbox.path('outside'), at('l'))
  const { code } = exec(['--delete'], `rm l; mkdir l; echo x > l/new; ln -s '${sandbox.path('outside')}' m`)
  t.equal(code, 0)
  t.same(readdirSync(sandbox.path('outside')), ['keep'])
  t.ok(lstatSync(at('l')).isDirectory() && lstatSync(at('m')).isSymbolicLink())
  // It is a link there as well, where nothing is behind it.
  t.equal(exec(['--delete'], 'rm m; mkdir m; echo x > m/keep; rm -r m; mkdir -p m').code, 0)
  t.same(readdirSync(sandbox.path('outside')), ['keep'])
  t.equal(readFileSync(sandbox.path('outside/keep'), 'utf8'), 'mine\n')
  t.same(
    readdirSync(at()).filter(name => name.startsWith('.bass-exec')),
    [],
  )
  t.end()
})

test('it has its variables and its input, and exits as the command does, or with 99', { skip }, t => {
  const { exec } = make(t)
  t.match(exec(['--env', 'K=a b', '--env', 'E='], 'echo "$K-${E-unset}"; cat'), { code: 0, stdout: 'a b-\n' })
  t.match(exec(['-i'], 'tr a-z A-Z', 'code', 'some input\n'), { code: 0, stdout: 'SOME INPUT\n' })
  t.match(exec(['--env', 'K'], 'true'), { code: 100, stderr: /'K' is not K=V/ })
  t.match(exec([], 'kill -KILL $$'), { code: 137 })
  t.match(
    exec(['-v'], 'true').stderr,
    /^bass: info: started, .*\nbass: info: looked for changes, files 0, bytes 0, deleted 0\n$/,
  )
  t.match(exec(['--timeout', '0.5'], 'sleep 1000'), { code: 99, stderr: /--timeout/ })
  t.match(exec(['--timeout', 'soon'], 'true'), { code: 100, stderr: /'soon' is no time/ })
  t.match(exec(['--ssh', 'box'], 'true'), { code: 100, stderr: /one of --in and --ssh/ })
  t.end()
})

test("Ctrl-C is the command's; the second one kills it, and what it left comes back", { skip }, async t => {
  const { start, at } = make(t)
  const script = 'trap "echo asked; : > asked" INT; echo up; while :; do sleep 0.1; done'
  const running = start(script)
  await eventually('it runs', () => running.stdout().includes('up'), 60)
  running.child.kill('SIGINT')
  await eventually('it heard', () => running.stdout().includes('asked'))
  running.child.kill('SIGINT')
  t.equal((await running.ended).code, 137)
  t.ok(existsSync(at('asked')))
  await eventually('its container is gone', () => podman!.ask('ps', '--all', '--quiet') === '', 10)
})
