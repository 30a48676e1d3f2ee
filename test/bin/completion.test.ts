import { test } from 'tap'

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

test('bash completes verbs, options, tasks and projects', { skip: lacks('bash') }, async t => {
  const { sandbox, env } = make(t)
  const cases: [string, string][] = [
    ['sta', 'status'],
    ['log --fo', '--follow'],
    ["log ''", 'last 12 9'],
    ['pause he', 'hello'],
  ]
  const script = cases.map(
    ([line]) =>
      `COMP_WORDS=(bass ${line}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _bass; echo "\${COMPREPLY[@]}"`,
  )
  const answers = sandbox.ok('bash', ['-c', ['eval "$(bass completion bash)"', ...script].join('\n')], {
    env,
  })
  t.same(
    answers.split('\n'),
    cases.map(([, answer]) => answer),
  )
})

test('zsh reads what is printed for it', { skip: lacks('zsh') }, async t => {
  const { sandbox, env } = make(t)
  const script =
    'autoload -U compinit; compinit -u; eval "$(bass completion zsh)"; whence -w _bass; print $_comps[bass]'
  t.equal(sandbox.ok('zsh', ['-fc', script], { env }), '_bass: function\n_bass')
})

test('completion of another shell is refused', async t => {
  const { verb } = await VERBS.get('completion')!.load()
  t.match(await call(verb, ['fish'], {}), { code: 100, stderr: /'fish' is neither bash nor zsh/ })
})

test('every verb has a manual page that groff reads without complaint', { skip: lacks('groff') }, async t => {
  const { sandbox } = make(t)
  const pages = [...['log', 'prune'].map(name => ['help', '--man', name]), ['log', '--man']]
  for (const argv of pages) {
    const page = sandbox.ok('bin/bass', argv)
    const { code, stdout, stderr } = sandbox.run('groff', ['-man', '-Tascii', '-ww'], { input: page })
    t.same([code, stderr], [0, ''], argv.join(' '))
    t.match(stdout, /BASS/)
  }
})
