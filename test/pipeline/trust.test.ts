// Who may do what: each sentence of "Who is trusted with what" in lib/INTERNALS.md, with real programs and users.

import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { verdictOf } from '../../lib/spool/job.ts'
import { eventually, lacks, Sandbox } from '../fixtures/sandbox.ts'
import { Site } from '../fixtures/site.ts'

/** Not as a whole in any step: what looks for it must not be found by it. */
const SECRET = ['hunter2', 'victim'].join('-')

/**
 * Tries what only others may do, and says what it could. Everything that is not its own: verdicts, claims and wishes,
 * the files of takers and of other jobs, their environments, and signals.
 */
const ATTACK = `
ls -l /proc/self/fd | grep -F "$SPOOL" && echo 'has a file of the spool open'
printf 'hunter2-%s' victim >"$TMPDIR/pattern"
could() { "$@" >/dev/null 2>&1 && echo "could $*"; }
for place in "$SPOOL"/tasks/* "$SPOOL"/jobs/* "$SPOOL"/takers "$SPOOL" "$SLOTS" "$SLOTS"/*; do could touch "$place/forged"; done
for task in "$SPOOL"/tasks/cur/*; do could touch "$task/cancel"; could ln "$0" "$task/claim.x"; could rm "$task/claim"; done
for job in "$SPOOL"/jobs/cur/*; do
    could sh -c 'echo success >"$1"' sh "$job/result.txt"
    could ln -s "$0" "$job/error.txt"
    could rm -r "$job/steps"
    could mv "$job" "$job.x"
done
for step in "$SPOOL"/jobs/cur/*/steps/*/stdout.txt; do could sh -c 'echo >>"$1"' sh "$step"; done
could grep -raqsF -f "$TMPDIR/pattern" "$SPOOL" "$SLOTS" "$JOBS_TMP"/bass-*/home "$JOBS_TMP"/bass-*/tmp/told "$JOBS_TMP"
for process in /proc/[0-9]*; do
    pid=\${process#/proc/}
    could grep -aqF -f "$TMPDIR/pattern" "$process/environ" "$process/cmdline"
    [ "$(stat -c %u "$process" 2>/dev/null || id -u)" = "$(id -u)" ] || could kill -0 "$pid"
done
echo tried`

for (const ISOLATE of ['pid', 'no']) {
  test(
    `ISOLATE=${ISOLATE}: a step of STEP_USER can forge nothing, read no secret of another job, and signal no taker`,
    { skip: process.getuid?.() !== 0 && 'needs root' },
    async t => {
      const site = new Site(t)
      chmodSync(site.dir, 0o755)
      const more = { SPOOL: site.spool.root, SLOTS: site.path('slots'), JOBS_TMP: site.path('jobtmp') }
      const env = { ISOLATE, ...more, STEP_ENV: 'SPOOL SLOTS JOBS_TMP' }
      const victim = site.publish(
        { a: `echo "$KEY" >"$HOME/told"; echo "$KEY" >"$TMPDIR/told"; echo "$KEY"; sleep 300` },
        'testarch:victim',
      )
      mkdirSync(site.path('slots'))
      site.taker('slots/1', { ...env, HOST: 'victim', STEP_USER: 'daemon', SECRETS: 'KEY', KEY: SECRET })
      await eventually('the victim', () =>
        site.ls('spool/jobs/cur', victim, 'steps/a').includes('stdout.txt'),
      )
      await eventually('its secret', () => site.log(victim, 'a') === '***\n')

      const attacker = site.publish({ a: ATTACK })
      site.taker('slots/2', { ...env, STEP_USER: 'nobody' })
      t.equal(await site.verdict(attacker), 'success')
      t.equal(site.log(attacker, 'a'), 'tried\n')
      t.equal(verdictOf(site.job(victim)), undefined, 'and the other job runs on')
    },
  )
}

for (const JOB_TMUX of ['no', 'yes']) {
  test(
    `JOB_TMUX=${JOB_TMUX}: a secret is in the environment of steps, and in no argument, file, log or message`,
    { skip: JOB_TMUX === 'yes' && lacks('tmux') },
    async t => {
      const site = new Site(t)
      const settings = {
        JOB_TMUX,
        SECRETS: 'KEY',
        KEY: SECRET,
        STEP_ENV: 'URL',
        URL: `https://ada:${SECRET}@example.org/`,
        PREPARE: 'echo "$KEY"; echo "$KEY" >"$BASS_PKG"',
        FAILED_JOB_WAITTIME: '0',
      }
      const steps = { a: 'echo "$KEY $URL"; echo "$KEY" >&2; sleep 1', b: '"$KEY"; exit 3' }
      const name = site.publish(steps)
      const unpackable = site.publish(steps)
      writeFileSync(join(site.spool.tasks.cur, unpackable, 'code.tar'), 'not a tar')
      const taker = site.taker('slot', settings)
      const shown = new Set<string>()
      const watch = setInterval(() => {
        for (const pid of readdirSync('/proc').filter(name => /^\d+$/.test(name))) {
          try {
            shown.add(readFileSync(`/proc/${pid}/cmdline`, 'latin1'))
          } catch {
            // It has ended meanwhile.
          }
        }
      }, 20)
      t.equal(await site.verdict(name), 'failure')
      t.equal(await site.verdict(unpackable), 'error')
      clearInterval(watch)
      t.ok(
        [...shown].some(line => line.includes('sleep\x001')),
        'the step was seen',
      )
      t.notOk([...shown].find(line => line.includes(SECRET)))
      t.equal(site.log(name, 'a'), '*** https://ada:***@example.org/\n')
      const { code, stdout } = site.run('grep', ['-ralF', '--', SECRET, site.dir])
      t.same([code, stdout], [1, ''], 'no file has it')
      const said = ['show', 'log', 'status'].map(verb =>
        site.run('bin/bass', [verb, ...(verb === 'status' ? [] : [name])]),
      )
      await taker.kill('SIGTERM')
      for (const { stdout, stderr } of [...said, { stdout: taker.stdout(), stderr: taker.stderr() }])
        t.notOk((stdout + stderr).includes(SECRET))
    },
  )
}

for (const umask of ['000', '022', '027', '077']) {
  test(`umask ${umask}: the world writes nothing in the spool, and reads logs only where umask says so`, async t => {
    const sandbox = new Sandbox(t)
    sandbox.git(sandbox.dir, 'init', '-q', '-b', 'main', 'code')
    mkdirSync(sandbox.path('code/.bass'))
    writeFileSync(sandbox.path('code/.bass/a'), '#!/bin/sh\necho x | tee "$BASS_ARTIFACTS/x"\n', {
      mode: 0o755,
    })
    sandbox.git('code', 'add', '.')
    sandbox.git('code', 'commit', '-qm', 'steps')
    mkdirSync(sandbox.path('slot'))
    const run = (program: string, args: string[] = [], env: Record<string, string> = {}, cwd = '.') =>
      sandbox.ok('sh', ['-c', `umask ${umask}; exec "$0" "$@"`, join(process.cwd(), program), ...args], {
        env,
        cwd,
      })

    run('bin/bass', ['init', 'spool', '--project', 'hello', '--code', 'code', '--hook'])
    const rc = { BASS_RC: sandbox.path('spool/conf/hello/rc') }
    sandbox.ok('sh', ['-c', `umask ${umask}; git push -q . HEAD:refs/heads/next`], { cwd: 'code' })
    await eventually('an event', () => sandbox.ok('find', ['spool/revs', '-type', 'f']) !== '')
    const name = run('master/bin/task-maker', ['--once'], rc)
    run('slave/bin/job-starter', [name], {}, 'slot')
    run('master/bin/reaper', ['--once'])
    t.equal(verdictOf(join(sandbox.spool.jobs.cur, name)), 'success')

    const find = (...conditions: string[]) =>
      sandbox.ok('find', [sandbox.spool.root, '!', '-type', 'l', ...conditions])
    t.equal(find('-perm', '/o+w'), '', 'nobody else can write')
    t.equal(find('-path', '*/conf*', '-perm', '/g+w'), '', 'nor the group where it is run')
    const readable = find('-path', '*/steps/a/*', '-perm', '/o+r')
    if (umask.endsWith('7')) t.equal(find('-perm', '/o+rx'), '', 'nor read')
    else t.match(readable, /stdout\.txt/)
  })
}

test(
  'a spool of a group: what programs of any umask make there, other users of the group can go on with',
  { skip: process.getuid?.() === 0 ? lacks('setpriv', 'tmux') : 'needs root' },
  t => {
    const sandbox = new Sandbox(t)
    chmodSync(sandbox.dir, 0o755)
    sandbox.git(sandbox.dir, 'init', '-q', '-b', 'main', 'code')
    mkdirSync(sandbox.path('code/.bass'))
    writeFileSync(sandbox.path('code/.bass/a'), '#!/bin/sh\numask\n', { mode: 0o755 })
    sandbox.git('code', 'add', '.')
    sandbox.git('code', 'commit', '-qm', 'steps')
    let [cwd, env]: [string, Record<string, string>] = ['.', {}]
    const run = (user: number, umask: string, program: string, ...args: string[]) => {
      const as = ['setpriv', `--reuid=${user}`, '--regid=65533', '--clear-groups']
      const command = [...as, join(process.cwd(), program), ...args]
      return sandbox.ok('sh', ['-c', `umask ${umask}; exec "$@"`, 'sh', ...command], { env, cwd })
    }
    run(0, '002', 'bin/bass', 'init', 'spool', '--project', 'hello', '--code', 'code')
    env = { BASS_RC: sandbox.path('spool/conf/hello/rc') }
    const [master, slave, person] = [65532, 65534, 65531]
    sandbox.ok('chown', ['-R', `${master}`, 'code'])
    run(master, '077', 'bin/bass', 'event', 'hello', 'main')
    const name = run(master, '077', 'master/bin/task-maker', '--once')
    sandbox.ok('install', ['-d', '-o', String(slave), 'slot'])
    sandbox.ok('install', ['-d', '-o', String(slave), 'jobtmp'])
    cwd = 'slot'
    const steps = (name: string, how: Record<string, string>) => {
      const before = env
      env = { ...env, ...how }
      run(slave, '027', 'slave/bin/job-starter', name)
      env = before
      const job = join(sandbox.spool.jobs.cur, name)
      t.equal(verdictOf(job), 'success')
      const log = join(job, 'steps/a/stdout.txt')
      t.match(readFileSync(log, 'latin1'), / 0027\n$/, 'a step has the umask of its taker')
      t.equal(statSync(log).mode & 0o777, 0o660, 'and its log that of the spool')
    }
    steps(name, { ISOLATE: 'auto' })
    for (const how of [{ ISOLATE: 'no' }, { JOB_TMUX: 'yes' }]) {
      steps(run(person, '022', 'bin/bass', 'retry', name), how)
    }
    const again = run(person, '022', 'bin/bass', 'retry', name)
    run(person, '022', 'bin/bass', 'cancel', again)
    run(master, '022', 'master/bin/reaper', '--once')
    t.equal(verdictOf(join(sandbox.spool.jobs.cur, again)), 'cancelled')
    t.end()
  },
)
