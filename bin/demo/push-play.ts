// The demo of a push: hook, event, task, claim, steps, verdict.

import { mkdirSync } from 'node:fs'
import { join, relative } from 'node:path'

import { EXIT } from '../../lib/base/exit.ts'
import { shellQuote } from '../../lib/base/shell-quote.ts'
import { plural } from '../../lib/base/text.ts'
import { mustList } from '../../lib/system/listing.ts'
import { findHistory, makeBare, makeSteps, push } from './push-code.ts'
import type { DemoSource } from './push-code.ts'
import { open, tellLine, show, tell } from './stage.ts'
import type { Stage } from './stage.ts'

/** Returns the exit code of the job. */
export async function playPush(stage: Stage, web: boolean): Promise<number> {
  const { spool, root } = stage
  Object.assign(stage.env, {
    JOBTMP: stage.at('jobtmp'),
    REPORTER_LISTEN: '127.0.0.1:0',
    STEP_ENV: 'NODE_MODULES',
    NODE_MODULES: join(root, 'node_modules'),
  })
  mkdirSync(stage.at('jobtmp'))
  tellLine(`In ${stage.directory}:\n`)
  makeBare(stage.at('code.git'))
  makeSteps(root, stage.at('steps'))
  const source = findHistory(root, stage.at('code'))
  const init = ['init', 'spool', '--project', 'bass', '--code', 'code.git', '--steps', 'steps', '--hook']
  show(`bass ${init.join(' ')}`)
  await stage.bass(...init)

  show('git push code.git HEAD:main', tellSource(source))
  const pushed = performance.now()
  push(source, stage.at('code.git'))
  tell('event', relative(stage.directory, join(spool.revs, 'bass/refs/heads/main', source.tip)))
  return playJob(stage, web, pushed, () => tellLine(WHAT_NEXT(root)))
}

/**
 * Runs the programs and follows the job of what was pushed at the time `pushed`; returns its exit code. `after` is for once it
 * has succeeded.
 */
export async function playJob(
  stage: Stage,
  web: boolean,
  pushed: number,
  after: () => unknown,
): Promise<number> {
  const { spool } = stage
  show(`bass up spool --takers 1${web ? ' --web' : ''} &`)
  return stage.whileUp(1, web, async () => {
    if (web) {
      const url = await stage.pages()
      tell('pages', url)
      open(url)
    }
    const first = () => [...mustList(spool.tasks.cur), ...mustList(spool.tasks.old)][0]
    const task = await stage.eventually('see a task', first)
    tell('task', `spool/tasks/cur/${task}`)
    show('bass log -f last\n')
    const code = await stage.bass('log', '-f', task)
    const seconds = ((performance.now() - pushed) / 1000).toFixed(1)
    tell('verdict', `spool/jobs/cur/${task}/result.txt, ${seconds} s after the push`)
    if (code === EXIT.done) await after()
    if (web) await stage.keepOpen()
    return code
  })
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
