// Steps in a container of a real podman: all that is asked of a place, and what is a container's own.

import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import tap, { test } from 'tap'

import { writeS2 } from '../../lib/bundle/s2.ts'
import { openContainer } from '../../lib/exec/in-container.ts'
import { tarOf } from '../../lib/exec/pack.ts'
import { conform, conformBriefly, isLong } from '../fixtures/conformance.ts'
import { runShell } from '../fixtures/executor.ts'
import { lacksPodman, Podman } from '../fixtures/podman.ts'
import { eventually, Sandbox } from '../fixtures/sandbox.ts'
import { StepsFixture } from '../fixtures/steps.ts'

const skip = lacksPodman()
const settings: Record<string, string> = { IMAGE: 'busy:1' }
const podman = skip ? undefined : makePodman()

function makePodman(): Podman {
  const made = new Podman(tap, new Sandbox(tap))
  made.importBusybox()
  // What runs in this very process reads it from there.
  Object.assign(process.env, made.env, { HOST: 'testhost', EXEC_KEEP: '1h', BUNDLE_MAX: '10M' })
  Object.assign(settings, made.env)
  return made
}

tap.setTimeout(600_000)

const ask = isLong ? conform : conformBriefly
ask('container', settings, skip)

test('steps see the code, each other and the cache, and leave artifacts', { skip }, async t => {
  const f = new StepsFixture(
    new Sandbox(t),
    {
      a: 'cat file; ! (echo x >> /.bass-executor/package.json) 2>/dev/null || exit 8; echo made > "$BASS_ARTIFACTS/made"; echo kept > "$BASS_CACHE/kept"; echo $HOME > from-a',
      b: 'cat from-a; test -n "$BASS_REVISION"; grep -c : /proc/net/dev; exit 5',
    },
    settings,
  )
  writeFileSync(join(f.work, 'code/file'), 'content\n')
  t.match(await f.run(), { verdict: 'failure', step: 'b', why: "step 'b' exited with 5" })
  t.equal(f.said('a'), 'content\n')
  t.match(f.said('b'), /^\/bass\/work\/home\n1\n$/)
  t.equal(f.read('artifacts', 'made'), 'made\n')
  t.equal(readFileSync(join(f.work, 'cache/kept'), 'utf8'), 'kept\n')
  t.notOk(existsSync(join(f.work, 'code/from-a')), 'the code here is as it was')
  t.equal(podman!.ask('ps', '--all', '--quiet'), '', 'the container is gone')
})

test(
  '.bass/image in the code asks for a container, and an image that is not there is said',
  { skip },
  async t => {
    const f = new StepsFixture(new Sandbox(t), { a: 'cat /etc/passwd | wc -l' })
    mkdirSync(join(f.work, 'code/.bass'))
    writeFileSync(join(f.work, 'code/.bass/image'), 'busy:1\n')
    t.same(await f.run(), { verdict: 'success' })
    t.equal(f.said('a').trim(), '2')
    writeFileSync(join(f.work, 'code/.bass/image'), 'localhost/none:1\n')
    await t.rejects(f.run(), { exitCode: 111, message: /localhost\/none:1/ })
    writeFileSync(join(f.work, 'code/.bass/image'), '--privileged\n')
    await t.rejects(f.run(), { exitCode: 100, message: /not the name of an image/ })
  },
)

test('bass doctor runs a container of the image, and says what an engine lacks', { skip }, async t => {
  const sandbox = new Sandbox(t)
  const place = (env: Record<string, string>) => {
    const { stdout } = sandbox.run('bin/bass', ['doctor'], { env: { ...settings, SPOOL: undefined, ...env } })
    return /^.* place container: .*$/m.exec(stdout)?.[0]
  }
  t.match(place({}), /^ok .* podman 4\S+ ran a container of busy:1, in \d+\.\d s$/)
  t.match(place({ IMAGE: 'none:1' }), /^ok .* it has no image none:1 yet/)
  t.match(place({ CONTAINER: '/nowhere/podman' }), /^WRONG .*'\/nowhere\/podman': no such file.*IMAGE=busy:1/)
  t.match(place({ CONTAINER: '/nowhere/podman', IMAGE: '' }), /^WRONG .*CONTAINER=\/nowhere\/podman asks/)
})

test('bass demo --container shows steps in an image of this machine, and removes it', { skip }, t => {
  const sandbox = new Sandbox(t)
  const { code, stdout, stderr } = sandbox.run('bin/bass', ['demo', '--container'], {
    env: { ...podman!.env, TMPDIR: sandbox.path('jobtmp'), SPOOL: undefined },
  })
  t.equal(code, 0, stderr)
  t.match(
    stdout,
    /the image has 8 programs.*no network but its loopback.*30-test: success.*\nHELLO FROM A CON/s,
  )
  t.match(podman!.ask('images', '--format', '{{.Repository}}'), /^localhost\/busy$/m)
  t.notMatch(podman!.ask('images', '--format', '{{.Repository}}'), /demo/)
  t.same(sandbox.ls('jobtmp'), [])
  t.end()
})

test('a command can be that of another user, whatever the image lacks', { skip }, async t => {
  const opened = await openContainer({ image: 'busy:1', bounds: { network: 'none' } }, process.env)
  t.teardown(() => opened.close())
  const { place, client } = opened
  const file = new Sandbox(t).path('file')
  writeFileSync(file, '')
  await client.put(place, writeS2(tarOf([{ name: 'file', path: file }])), 'nobody')
  const script = 'id -u; id -G; echo x > file && (: > /new) 2>/dev/null || echo no'
  const { said } = await runShell(client, script, { user: 'nobody', directory: place })
  t.same(said, ['65534\n65534\nno\n', ''])
  t.same((await runShell(client, 'id -u; id -g', { user: '12:34' })).said, ['12\n34\n', ''])
})

test('STEP_USER is that very user in a container, whatever the image calls it', { skip }, async t => {
  // The name of that user is root's in this image, and another is to be the one of its programs.
  podman!.importBusybox('sly:1', { 'etc/passwd': 'root:x:0:0::/:\nnobody:x:0:0::/:\n' }, 'USER 12:12')
  const sandbox = new Sandbox(t)
  chmodSync(sandbox.dir, 0o755)
  const steps = {
    a: 'id -u; id -G; umask 077; for d in . "$HOME" "$TMPDIR" "$BASS_ARTIFACTS"; do echo x > "$d/x" || exit; done',
    b: 'mkdir -p "$BASS_CACHE/d" && echo kept >> "$BASS_CACHE/d/x" && cat x "$BASS_CACHE/d/x"; ! (: > /new) 2>/dev/null',
  }
  const f = new StepsFixture(sandbox, steps, { ...settings, IMAGE: 'sly:1', STEP_USER: 'nobody' })
  t.same(await f.run(), { verdict: 'success' }, f.said('a', 'stderr'))
  t.equal(f.said('a'), '65534\n65534\n')
  t.equal(f.said('b'), 'x\nkept\n')
  t.equal(f.read('artifacts', 'x'), 'x\n')
  const kept = ['d', 'd/x'].map(name => statSync(join(f.work, 'cache', name)).uid)
  t.same(kept, [65534, 65534], 'and what it left in the cache')
  // The next job with this cache runs on the machine itself.
  const here = new StepsFixture(sandbox, { b: steps.b.replace('cat x', 'cat') }, { STEP_USER: 'nobody' })
  renameSync(join(f.work, 'cache/d'), join(here.work, 'cache/d'))
  t.same(await here.run(), { verdict: 'success' }, here.said('b', 'stderr'))
  t.equal(here.said('b'), 'kept\nkept\n')
})

test('STEP_PROCS bounds what a step starts in a container', { skip }, async t => {
  const f = new StepsFixture(
    new Sandbox(t),
    { a: 'i=0; while [ $i -lt 100 ]; do sleep 100 & i=$((i + 1)); done; echo many' },
    { ...settings, STEP_PROCS: '10' },
  )
  t.match(await f.run(), { verdict: 'failure', step: 'a' })
  t.match(f.said('a', 'stderr'), /fork/)
})

if (isLong)
  test('a container that hangs is given up when its job is cancelled, and removed', { skip }, async t => {
    const f = new StepsFixture(new Sandbox(t), { a: 'echo up; sleep 1000' }, settings)
    const run = f.run()
    await eventually('it runs', () => f.said('a') === 'up\n', 60)
    podman!.ask('pause', podman!.ask('ps', '--quiet'))
    const began = performance.now()
    f.stop('cancelled')
    t.match(await run, { verdict: 'cancelled' })
    t.ok(performance.now() - began > 5000, 'it hung')
    t.equal(podman!.ask('ps', '--all', '--quiet'), '')
  })

test('an image may be empty but for one static program', { skip }, async t => {
  const sandbox = new Sandbox(t)
  writeFileSync(sandbox.path('p.c'), '#include <stdio.h>\nint main(void) { puts("static"); return 9; }\n')
  sandbox.ok('musl-gcc', ['-static', '-o', 'p', 'p.c'])
  podman!.importStatic(sandbox.path('p'))
  const { code, stdout } = sandbox.run('bin/bass', ['exec', '--all', '--in', 'empty:1', '--', '/program'], {
    env: { ...settings, IMAGE: undefined },
  })
  t.same([code, stdout], [9, 'static\n'])
})

test('bass exec brings back what was changed, and a killed one leaves no container', { skip }, async t => {
  const sandbox = new Sandbox(t)
  const env = { ...settings, IMAGE: undefined }
  sandbox.ok('git', ['init', '-q', 'code'])
  const at = (name: string) => sandbox.path('code', name)
  writeFileSync(at('a'), 'one\n')
  writeFileSync(at('ignored'), 'x')
  writeFileSync(at('.gitignore'), 'ignored\n')
  const script =
    'test ! -e ignored && echo two >> a && rm .gitignore && mkdir -p d/e && ln -s ../a d/l; echo $K >&2; exit 3'
  const { code, stderr } = sandbox.run(
    'bin/bass',
    ['exec', '--in', 'busy:1', '--env', 'K=V', '--', 'sh', '-c', script],
    {
      cwd: 'code',
      env,
    },
  )
  t.same([code, stderr], [3, "V\nbass: info: it deleted '.gitignore'\n"])
  t.equal(readFileSync(at('a'), 'utf8'), 'one\ntwo\n')
  t.ok(existsSync(at('d/e')) && existsSync(at('d/l')) && existsSync(at('.gitignore')))

  const running = sandbox.start(
    'bin/bass',
    ['exec', '--in', 'busy:1', '--', 'sh', '-c', 'echo up; sleep 1000'],
    { cwd: 'code', env },
  )
  await eventually('it runs', () => running.stdout().includes('up'), 60)
  await running.kill('SIGKILL')
  await eventually('the container is gone', () => podman!.ask('ps', '--all', '--quiet') === '', 10)
})
