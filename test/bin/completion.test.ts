import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { COMMANDS } from '../../bin/jci/commands.ts'
import { VERBS } from '../../bin/verbs.ts'
import { call } from '../fixtures/in-process.ts'
import { lacks, ROOT, Sandbox } from '../fixtures/sandbox.ts'
import { SpoolMaker } from '../fixtures/spool-maker.ts'

function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const sandbox = new Sandbox(t)
  const maker = new SpoolMaker(sandbox.makeSpool())
  maker.waitingTask('12:hello:v1:a')
  maker.finishedJob('9:hello:v1:a')
  return { sandbox, env: { PATH: `${ROOT}/bin:${sandbox.env['PATH']!}` } }
}

/** What bash offers for each line, whose last word is not finished. */
function offered(sandbox: Sandbox, env: Record<string, string>, lines: readonly string[], before = '') {
  const script = lines.map(
    line =>
      `COMP_WORDS=(${line}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); COMP_LINE="\${COMP_WORDS[*]}"; COMP_POINT=\${#COMP_LINE}
      COMPREPLY=(); of=$(complete -p "\${COMP_WORDS[0]}"); of=\${of##*-F }; \${of% *}; echo "\${COMPREPLY[@]}"`,
  )
  return sandbox
    .ok('bash', ['-c', [before, 'eval "$(bass completion bash)"', ...script].join('\n')], { env })
    .split('\n')
    .map(line => line.trim().replace(/ +/g, ' '))
}

test('bash completes verbs, options, tasks and projects', { skip: lacks('bash') }, async t => {
  const { sandbox, env } = make(t)
  const cases: Record<string, string> = {
    'bass sta': 'status',
    'bass log --fo': '--follow',
    "bass log ''": 'last 12 9',
    'bass pause he': 'hello',
    'bass completion z': 'zsh',
  }
  t.same(offered(sandbox, env, Object.keys(cases)), Object.values(cases))
})

const GIT_COMPLETION = '/usr/share/bash-completion/completions/git'
const noGit = lacks('bash') || (existsSync(GIT_COMPLETION) ? false : "git's own completion is not there")

test('bash completes git jci, through git, as a program and as a verb', { skip: noGit }, async t => {
  const { sandbox, env } = make(t)
  sandbox.git(sandbox.dir, 'init', '-q')
  sandbox.git(sandbox.dir, 'remote', 'add', 'upstream', '/x')
  const cases: Record<string, string> = {
    'git-jci pu': 'push pull',
    'git jci pu': 'push pull',
    'git -C . jci pu': 'push pull',
    'bass jci pu': 'push pull',
    'git jci push up': 'upstream',
    'bass jci pull up': 'upstream',
    'git jci cron s': 'sync',
    'git-jci prune --o': '--older-than --on-remote',
    'git jci ru': 'run runner',
    'git checkou': 'checkout',
  }
  t.same(offered(sandbox, env, Object.keys(cases), `. ${GIT_COMPLETION}`), Object.values(cases))
})

test('zsh reads what is printed for it', { skip: lacks('zsh') }, async t => {
  const { sandbox, env } = make(t)
  const script =
    'autoload -U compinit; compinit -u; eval "$(bass completion zsh)"; whence -w _bass _git-jci; print $_comps[bass] $_comps[git-jci]'
  t.equal(sandbox.ok('zsh', ['-fc', script], { env }), '_bass: function\n_git-jci: function\n_bass _git-jci')
})

test('completion of another shell is refused', async t => {
  const { verb } = await VERBS.get('completion')!.load()
  t.match(await call(verb, ['fish'], {}), { code: 100, stderr: /'fish' is neither bash nor zsh/ })
})

test('every verb has a manual page that groff reads without complaint', { skip: lacks('groff') }, async t => {
  const { sandbox } = make(t)
  const pages = [...['log', 'prune'].map(name => ['help', '--man', name]), ['log', '--man']]
  const programs = [
    ...pages.map(argv => ['bin/bass', argv] as const),
    ...[['--man'], ...[...COMMANDS.keys()].map(name => [name, '--man'])].map(
      argv => ['bin/git-jci', argv] as const,
    ),
  ]
  for (const [program, argv] of programs) {
    const page = sandbox.ok(program, argv)
    const { code, stdout, stderr } = sandbox.run('groff', ['-man', '-Tascii', '-ww'], { input: page })
    t.same([code, stderr], [0, ''], argv.join(' '))
    t.match(stdout, /BASS/)
  }
})

test("the page that 'git jci --help' shows is what git-jci --man prints", async t => {
  // Where bin is in the PATH, man looks into the directory in it.
  const page = readFileSync(join(ROOT, 'bin/man/man1/git-jci.1'), 'utf8')
  t.equal(
    page.trim(),
    new Sandbox(t).ok('bin/git-jci', ['--man']),
    'bin/git-jci --man >bin/man/man1/git-jci.1',
  )
})
