// bass demo: shows a push become a result, right after installation.

import { appendFileSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join, relative } from 'node:path'

import { command } from '../lib/system/command.ts'
import { findHistory, makeBare, makeSteps, push } from './setup/demo-code.ts'
import type { DemoSource } from './setup/demo-code.ts'
import { playJci } from './setup/demo-jci.ts'
import { cleanEnvironment, enter, eventually, openPages, runHere, say, show, tell } from './setup/stage.ts'
import { mustList } from '../lib/system/listing.ts'
import { EXIT } from '../lib/base/exit.ts'
import { programsOf } from './setup/programs.ts'
import { setting } from '../lib/base/settings.ts'
import { shellQuote } from '../lib/base/shell-quote.ts'
import { environmentOf } from '../lib/conf/sourced.ts'
import { spoolAt } from '../lib/spool/spool.ts'
import { Supervisor } from './setup/supervisor.ts'
import { plural } from '../lib/base/text.ts'

/** How long programs may take to end, in milliseconds. */
const GRACE = 10_000

export const verb = command(
  {
    name: 'bass demo',
    usage: '[--keep] [--web] [--jci]',
    operands: [0, 0],
    about: `Shows a push becoming a result, with this project's own history as the code, on this machine.

In a temporary directory it makes a spool, a bare repository with the hook, and a repository with
four steps; pushes; runs the programs; and follows the job. Then everything is stopped and removed,
unless something failed: then the directory stays. Needs git and no network.

With --web the job can be watched in a browser as well: the address is printed, and opened where
there is a display. In a terminal the pages then stay until you press Enter.

With --jci it shows 'git jci' instead: a run, a push of its result, and the page of who pulls it.`,
    options: {
      keep: { type: 'boolean', about: 'keep the directory' },
      web: { type: 'boolean', about: 'serve the pages on a free port of this host, and open them' },
      jci: { type: 'boolean', about: 'show results as refs of a repository' },
    },
    environment: {
      TMPDIR: 'where the directory is made; else /tmp',
      'DISPLAY, WAYLAND_DISPLAY': 'where xdg-open shows the pages',
      NO_COLOR: 'no colours',
    },
    exits: { '0': 'the job succeeded', '1': 'it failed', '99': 'it timed out', '130, 143': 'interrupted' },
  },
  async (_, { keep, web, jci }) => {
    const stage = mkdtempSync(join(realpathSync(tmpdir()), 'bass-demo-'))
    const interrupt = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => interrupt.abort(signal))
    }
    let seen = false
    try {
      const code = await (jci ? playJci : play)(stage, web, interrupt.signal)
      seen = code === EXIT.done
      return code
    } catch (error) {
      if (!interrupt.signal.aborted) throw error
      seen = true
      return 128 + constants.signals[interrupt.signal.reason as NodeJS.Signals]
    } finally {
      if (seen && !keep) rmSync(stage, { recursive: true, force: true, maxRetries: 3 })
      else say(`Everything is still in ${stage}.`)
    }
  },
)

async function play(stage: string, web: boolean, signal: AbortSignal): Promise<number> {
  const root = setting('BASS_ROOT')
  const at = (name: string) => join(stage, name)
  const spool = spoolAt(at('spool'))
  const env = cleanEnvironment({
    BASS_ROOT: root,
    JOBTMP: at('jobtmp'),
    REPORTER_LISTEN: '127.0.0.1:0',
    STEP_ENV: 'NODE_MODULES',
    NODE_MODULES: join(root, 'node_modules'),
  })
  const bass = (...args: string[]) =>
    runHere(stage, join(root, 'bin/bass'), args, { ...env, SPOOL: spool.root }, signal)

  mkdirSync(at('jobtmp'))
  makeBare(at('code.git'))
  makeSteps(root, at('steps'))
  const source = findHistory(root, at('code'))
  say(`In ${stage}:\n`)
  const init = ['init', 'spool', '--project', 'bass', '--code', 'code.git', '--steps', 'steps', '--hook']
  show(`bass ${init.join(' ')}`)
  // The demo prints the next steps itself.
  await runHere(stage, join(root, 'bin/bass'), init, env, signal, 'quiet')

  show('git push code.git HEAD:main', tellSource(source))
  const pushed = performance.now()
  push(source, at('code.git'))
  tell('event', relative(stage, join(spool.revs, 'bass/refs/heads/main', source.tip)))

  show(`bass up spool --takers 1${web ? ' --web' : ''} &`)
  const settings = environmentOf(spool.root, env)
  let url: string | undefined
  const log = (name: string, line: string) => {
    appendFileSync(at('up.log'), `${name} | ${line}\n`)
    if (name === 'reporter') url ??= /http:\S+/.exec(line)?.[0]
  }
  const supervisor = new Supervisor(programsOf(spool.root, settings, 1, web), GRACE, log)
  try {
    if (web) openPages(await eventually('serve the pages', () => url, at('up.log'), signal))
    const first = () => [...mustList(spool.tasks.cur), ...mustList(spool.tasks.old)][0]
    const task = await eventually('see a task', first, at('up.log'), signal)
    tell('task', `spool/tasks/cur/${task}`)
    show('bass log -f last\n')
    const code = await bass('log', '-f', task)
    const seconds = ((performance.now() - pushed) / 1000).toFixed(1)
    tell('verdict', `spool/jobs/cur/${task}/result.txt, ${seconds} s after the push`)
    if (code === EXIT.done) say(WHAT_NEXT(root))
    if (web) await enter(signal)
    return code
  } finally {
    supervisor.stop()
    await supervisor.ended
  }
}

function tellSource({ real, commits, tip }: DemoSource): string {
  const what = real
    ? `${commits} ${plural(commits, 'commit')} of this project`
    : 'no history here: one commit of the files'
  return `# ${what}; the tip ${tip.slice(0, 10)} is tested`
}

const WHAT_NEXT = (root: string) => `
What to type next, for a project of your own:

  PATH=$PATH:${shellQuote(join(root, 'bin'))}
  bass init /srv/bass --project hello --code /srv/git/hello.git --hook
  bass up /srv/bass

and put executable steps into .bass/ of hello; then push. 'bass help' lists the other verbs.`
