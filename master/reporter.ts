// The web pages: what a spool says, in a browser; and the deliveries of forges.

import { createServer } from 'node:http'
import { hostname } from 'node:os'

import { command, runMain } from '../lib/system/command.ts'
import { temporary } from '../lib/base/exit.ts'
import { say } from '../lib/system/log.ts'
import { ofProject, repositoryOf } from '../lib/conf/project-settings.ts'
import { address, duration, listenAddress, listenAt, setting } from '../lib/base/settings.ts'
import { openSpool } from '../lib/spool/spool.ts'
import type { Spool } from '../lib/spool/spool.ts'
import { isToEnd } from '../lib/system/renewal.ts'

export const reporter = command(
  {
    name: 'reporter',
    usage: '[--hooks]',
    operands: [0, 0],
    options: { hooks: { type: 'boolean', about: 'take deliveries alone, and show no pages' } },
    about: `Serves web pages of a spool: what waits, runs and ran, live logs, artifacts, trends.

It reads the spool and nothing else, and everybody who can reach it may read. To cancel and retry
needs the token (a form to log in, or 'Authorization: Bearer TOKEN'), or a proxy that names a
person. Says on standard error where it listens, and runs until it is told to stop. For programs:
/api/status and /api/show/NUMBER (as 'bass status --json' and 'bass show --json'), /metrics,
/healthz, /project/P/badge.svg?ref=REF, /project/P/feed.atom, /job/N/log (all of it as text),
/job/N/artifacts.tar.

POST /hooks/PROJECT takes webhooks of a forge, of at most 25 MB: signed with the secret in the
project's FORGE_SECRET_FILE, stored in inbox/PROJECT for the fetcher, then answered.`,
    environment: {
      SPOOL: 'the spool',
      REPORTER_LISTEN: 'where to listen: [ADDRESS:]PORT',
      REPORTER_TOKEN: 'who knows it may cancel and retry; at least 16 characters',
      REPORTER_USER_HEADER: 'the header by which a trusted proxy names a person',
      REPORTER_TRUSTED: 'addresses of such proxies, as 127.0.0.1 or 10.0.0.0/8',
      REPORTER_USERS: 'whom of those it names may cancel and retry; without it, all',
      REPORTER_URL: 'how others reach these pages, as https://ci.example.org; no other name is served',
      PROJ: 'the code repository, for authors and subjects',
      FORGE: 'the repository on a forge, for links to commits and changes',
      LOST_AFTER: 'a taker without a beat for this long is called silent',
    },
  },
  async (_operands, { hooks }) => {
    const { host, port } = listenAt('REPORTER_LISTEN')
    const spool = openSpool()
    const [{ hooksListener, isForHooks }, { receivingOf }] = await Promise.all([
      import('./receive/listener.ts'),
      import('./receive/receiving.ts'),
    ])
    const take = hooksListener(spool, receivingOf(spool.root))
    const pages = hooks ? undefined : await openPages(spool, host)
    const server = createServer((request, response) => {
      if (!pages || isForHooks(request)) take(request, response)
      else void pages.listener(request, response)
    })
    server.listen(port, host)
    await new Promise<void>((done, failed) => {
      server.once('error', error => failed(temporary(`listen on '${setting('REPORTER_LISTEN')}'`, error)))
      server.once('listening', done)
    })
    const address = server.address()
    const bound = typeof address === 'object' && address ? address.port : port
    // Whoever reads that it listens may tell it to stop.
    const stopped = stopSignal()
    say('info', `listening on ${listenAddress({ host, port: bound })}/`)
    await stopped
    server.closeAllConnections()
    server.close()
    await pages?.close()
    // Requests that still hang end with the program.
    setTimeout(() => process.exit(), LINGER).unref()
  },
)

/** How long a program that was told to stop goes on for what is on its way, in milliseconds. */
const LINGER = 1000

async function openPages(spool: Spool, host: string) {
  const origin = address('REPORTER_URL')
  const silentAfter = duration('LOST_AFTER')
  const [{ getRequestListener }, { Site }, { makeApp }, { openAuth }, { readAssets }, { forgesOf }] =
    await Promise.all([
      import('@hono/node-server'),
      import('./web/site/site.ts'),
      import('./web/app.ts'),
      import('./web/auth.ts'),
      import('./web/assets.ts'),
      import('./web/pages/forge-links.ts'),
    ])
  const auth = openAuth()
  const site = new Site(
    spool,
    silentAfter,
    project => repositoryOf(spool, project),
    forgesOf(project => ofProject(spool, project, 'FORGE')),
  )
  await site.open()
  const app = makeApp(site, auth, readAssets(), [host, hostname(), setting('HOST')], origin)
  return { listener: getRequestListener(app.fetch), close: () => site.close() }
}

/** How often to look whether our tree was replaced, in milliseconds. */
const TREE_LOOK_MS = 10_000

/** Resolves when the program is told to stop, or has to restart from a new tree. A second signal ends it at once. */
function stopSignal(): Promise<void> {
  return new Promise(done => {
    const timer = setInterval(() => isToEnd() && end(), TREE_LOOK_MS)
    const end = () => {
      clearInterval(timer)
      done()
    }
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, end)
  })
}

if (require.main === module) runMain(reporter)
