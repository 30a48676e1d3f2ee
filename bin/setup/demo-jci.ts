// bass demo --jci: a run, a push of its result, and the page of somebody else who pulls it.

import { appendFileSync } from 'node:fs'
import { join } from 'node:path'

import { EXIT } from '../../lib/base/exit.ts'
import { setting } from '../../lib/base/settings.ts'
import { shellQuote } from '../../lib/base/shell-quote.ts'
import { git } from '../../lib/git/process.ts'
import { makeBare, makeJciCode } from './demo-code.ts'
import { cleanEnvironment, enter, eventually, openPages, runHere, say, show, tell } from './stage.ts'
import { Supervisor } from './supervisor.ts'

/** How long the server of the pages may take to end, in milliseconds. */
const GRACE = 5000

/** Plays it in the directory `stage`; returns 0 if the page shows the run's success, else 1. */
export async function playJci(stage: string, web: boolean, signal: AbortSignal): Promise<number> {
  const root = setting('BASS_ROOT')
  const at = (name: string) => join(stage, name)
  const env = cleanEnvironment({ BASS_ROOT: root, PATH: `${join(root, 'bin')}:${process.env['PATH'] ?? ''}` })
  const jci = (place: string, ...args: string[]) => {
    show(`git jci ${args.join(' ')}`, `# in ${place}`)
    return runHere(at(place), 'git', ['jci', ...args], env, signal)
  }

  makeBare(at('code.git'))
  makeJciCode(root, at('mine'))
  git(at('mine'), 'remote', 'add', 'origin', at('code.git'))
  git(at('mine'), 'push', '-q', 'origin', 'HEAD:refs/heads/main')
  git(stage, 'clone', '-q', '-b', 'main', at('code.git'), at('theirs'))
  say(`In ${stage}: code.git, and two clones of it, mine and theirs.\n`)

  const codes = [
    await jci('mine', 'run'),
    await jci('mine', 'push', 'origin'),
    await jci('theirs', 'pull', 'origin'),
  ]
  show('git jci web 0 &', '# in theirs')
  let url: string | undefined
  const log = (_: string, line: string) => {
    appendFileSync(at('web.log'), `${line}\n`)
    url ??= /http:\S+/.exec(line)?.[0]
  }
  const server = { name: 'web', file: join(root, 'bin/git-jci'), args: ['web', '0'], directory: at('theirs'), env } // prettier-ignore
  const supervisor = new Supervisor([server], GRACE, log)
  try {
    const address = await eventually('serve the pages', () => url, at('web.log'), signal)
    if (web) openPages(address)
    const { ref, status } = await shownAt(address, signal)
    tell('page', `${address}: ${status}`)
    tell('ref', ref)
    const good = codes.every(code => code === EXIT.done) && status === 'success'
    if (good) say(whatNext(root))
    if (web) await enter(signal)
    return good ? EXIT.done : 1
  } finally {
    supervisor.stop()
    await supervisor.ended
  }
}

/** What the page tells of the newest run of the newest commit. */
async function shownAt(url: string, signal: AbortSignal): Promise<{ ref: string; status: string }> {
  const answer = await fetch(new URL('/api/commits?branch=main', url), { signal })
  const { commits } = (await answer.json()) as {
    commits: { runs: { ref: string; status: string }[] }[]
  }
  return commits[0]?.runs[0] ?? { ref: 'none', status: 'no result' }
}

const whatNext = (root: string) => `
What to type next, in a repository of your own:

  PATH=$PATH:${shellQuote(join(root, 'bin'))}
  mkdir -p .jci; cp ${shellQuote(join(root, 'examples/jci/run.sh'))} .jci/; git add .jci; git commit -m 'a first test'
  git jci run

and change the script. 'git jci help' lists the other commands.`
