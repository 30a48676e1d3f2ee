// Turns deliveries of forges, and what it finds by looking, into events. How is in fetch/; here is when.

import { setTimeout as sleep } from 'node:timers/promises'

import { EXIT, Fatal } from '../lib/base/exit.ts'
import { openTasks } from '../lib/spool/spool.ts'
import type { Spool } from '../lib/spool/spool.ts'
import { command, runMain } from '../lib/system/command.ts'
import { warn, warnOnce } from '../lib/system/log.ts'
import { isToEnd, onHup } from '../lib/system/renewal.ts'
import { TREE_DIRECTORIES } from '../lib/system/tree.ts'
import { readWatchSettings, watch } from '../lib/system/watch.ts'
import { Fetching } from './fetch/fetching.ts'
import { forgeProject, forgeProjects } from './fetch/project.ts'
import type { ForgeProject } from './fetch/project.ts'

/** How often the settings of a project are read that cannot be used, in milliseconds. */
const ODD_PAUSE = 300_000

export const fetcher = command(
  {
    name: 'fetcher',
    usage: '[--once | --look] [PROJECT...]',
    operands: [0, 1000],
    about: `Turns the deliveries of forges into events: one fetcher for all projects of a spool that have
FORGE, or for those that are named.

For each delivery that the reporter stored it fetches the refs concerned into the mirror PROJ and
makes the events of what is there now. Those of a change whose author is not trusted (FORGE_TRUST)
are held until 'bass approve'. A delivery stays in inbox/PROJECT/done for RETENTION. Every
FORGE_POLL it looks at the forge for what no delivery told; with FORGE=git:URL that is the only way
in. Work for the old head or target of a change, or for one that is closed, is cancelled (SUPERSEDE).

It may be killed at any instant: no delivery is lost, and no event is made twice. While a forge is
away it tries again with growing pauses. Settings of projects are read when it starts. With --once
or --look it does what can be done for all projects, and exits 111 if one of them could not be, or
100 if its forge refused for good, as it does with a bad token.`,
    options: {
      once: { type: 'boolean', about: 'do what is to be done now, and exit' },
      look: { type: 'boolean', about: 'the same, and look at the forge whatever FORGE_POLL says' },
    },
    environment: {
      SPOOL: 'the spool; the settings of its projects are in conf/PROJECT/rc',
      FORGE: 'where the code is: github:OWNER/REPO, gitea:URL/OWNER/REPO, gitlab:GROUP/REPO, git:URL',
      FORGE_TOKEN_FILE: 'the token to fetch with',
      FORGE_POLL: 'how often to look at the forge; 0: never',
      FORGE_TRUST: 'whose changes run at once: members, all, none',
      SUPERSEDE: 'what a new head cancels: changes, all (branches too), no',
      PROJ: 'the mirror',
      RETENTION: 'how long deliveries are kept that are done',
      'POLL_INTERVAL, WATCH': 'how to notice that something has changed',
    },
  },
  async (named, { once, look }) => {
    const spool = openTasks()
    const stop = new AbortController()
    const { projects, odd } = forgeProjects(spool, named)
    for (const { name, error } of odd) warn('fetch for', name, error)
    const fetchings = projects.map(project => new Fetching(spool, project, stop.signal))
    if (once || look) {
      const codes: number[] = odd.map(({ error }) => error.exitCode)
      for (const fetching of fetchings) {
        await fetching.round(look)
        codes.push(fetching.code)
      }
      return [EXIT.temporary, EXIT.lasting].find(code => codes.includes(code)) ?? EXIT.done
    }
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort())
    // Each by itself: a forge that hangs holds up no other.
    await Promise.all([
      ...fetchings.map(fetching => keepFetching(fetching, spool, stop)),
      ...odd.map(({ name }) => waitFor(name, spool, stop)),
    ])
    return EXIT.done
  },
)

/** Works for a project as soon as its settings can be used. */
async function waitFor(name: string, spool: Spool, stop: AbortController): Promise<void> {
  const isStopped = () => stop.signal.aborted
  while (!isStopped()) {
    await sleep(ODD_PAUSE, undefined, { signal: stop.signal }).catch(() => undefined)
    const project = forgeProjectIfFine(spool, name)
    if (project && !isStopped()) return keepFetching(new Fetching(spool, project, stop.signal), spool, stop)
  }
}

function forgeProjectIfFine(spool: Spool, name: string): ForgeProject | undefined {
  try {
    return forgeProject(spool, name)
  } catch (error) {
    if (!(error instanceof Fatal)) throw error
    warnOnce('fetch for', name, error)
    return undefined
  }
}

/** Works for one project until `stop`, which it pulls for all where it cannot go on. */
async function keepFetching(fetching: Fetching, spool: Spool, stop: AbortController): Promise<void> {
  const watched = await watch(
    [fetching.project.inbox.fresh, spool.tasks.cur, ...TREE_DIRECTORIES],
    readWatchSettings(),
  )
  const isStopped = () => stop.signal.aborted
  for (const signal of [stop.signal, onHup()]) signal.addEventListener('abort', () => watched.ring())
  try {
    while (!isStopped()) {
      const pause = await fetching.round()
      if (isToEnd()) break
      const timer = setTimeout(() => watched.ring(), pause)
      if (!isStopped()) await watched.next()
      clearTimeout(timer)
    }
  } finally {
    stop.abort()
    await watched.close()
  }
}

if (require.main === module) runMain(fetcher)
