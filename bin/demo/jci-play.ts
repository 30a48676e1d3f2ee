// bass demo --jci: a run, a push of its result, and the page of somebody else who pulls it.

import { join } from 'node:path'

import { EXIT } from '../../lib/base/exit.ts'
import { shellQuote } from '../../lib/base/shell-quote.ts'
import { git } from '../../lib/git/process.ts'
import { makeBare, makeJciCode } from './push-code.ts'
import { open, tellLine, show, tell } from './stage.ts'
import type { Stage } from './stage.ts'

/** Returns 0 if the page shows the run's success, else 1. */
export async function playJci(stage: Stage, web: boolean): Promise<number> {
  const { root, directory, env } = stage
  env['PATH'] = `${join(root, 'bin')}:${process.env['PATH'] ?? ''}`
  const jci = (place: string, ...args: string[]) => {
    show(`git jci ${args.join(' ')}`, `# in ${place}`)
    return stage.run(stage.at(place), 'git', ['jci', ...args])
  }

  makeBare(stage.at('code.git'))
  makeJciCode(root, stage.at('mine'))
  git(stage.at('mine'), 'remote', 'add', 'origin', stage.at('code.git'))
  git(stage.at('mine'), 'push', '-q', 'origin', 'HEAD:refs/heads/main')
  git(directory, 'clone', '-q', '-b', 'main', stage.at('code.git'), stage.at('theirs'))
  tellLine(`In ${directory}: code.git, and two clones of it, mine and theirs.\n`)

  const codes = [
    await jci('mine', 'run'),
    await jci('mine', 'push', 'origin'),
    await jci('theirs', 'pull', 'origin'),
  ]
  show('git jci web 0 &', '# in theirs')
  const server = {
    name: 'web',
    file: join(root, 'bin/git-jci'),
    args: ['web', '0'],
    directory: stage.at('theirs'),
    env,
  }
  return stage.whileRunning([server], async () => {
    const address = await stage.pages()
    if (web) {
      tell('pages', address)
      open(address)
    }
    const { ref, status } = await shownAt(address, stage.signal)
    tell('page', `${address}: ${status}`)
    tell('ref', ref)
    const good = codes.every(code => code === EXIT.done) && status === 'success'
    if (good) tellLine(whatNext(root))
    if (web) await stage.keepOpen()
    return good ? EXIT.done : 1
  })
}

/** The page's answer about the newest run of the newest commit. */
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
