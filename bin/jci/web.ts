// git jci web: stored runs in a browser.

import { hostname } from 'node:os'

import { temporary } from '../../lib/base/exit.ts'
import { address, listenAddress } from '../../lib/base/settings.ts'
import { command, usage } from '../../lib/system/command.ts'
import { say } from '../../lib/system/log.ts'
import { stopSignal } from '../../lib/system/stop-signal.ts'
import { OURS } from './ours.ts'
import { endDeadRuns } from './parts/owners.ts'
import { findRepository } from './parts/repository.ts'

const description = {
  name: 'git-jci web',
  usage: '[--listen ADDRESS] [PORT]',
  operands: [0, 1],
  about: `Serves pages of the stored runs of this repository, and the same as JSON, until it is told to stop.

PORT is 8000 if it is not given; 0 takes a free one. The pages are for this machine alone unless ADDRESS says more.
Behind a proxy, JCI_WEB_URL is the address by which browsers call them.`,
  options: {
    listen: {
      type: 'string',
      value: 'ADDRESS',
      about: 'the address to listen on instead of 127.0.0.1; 0.0.0.0 is all',
    },
  },
  environment: { JCI_WEB_URL: 'the address of the pages for browsers, such as https://runs.example.org' },
  ...OURS,
} as const

export const verb = command(description, async ([port = '8000'], { listen = '127.0.0.1' }) => {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw usage(description, `'${port}' is no port`)
  const repository = findRepository()
  const url = address('JCI_WEB_URL')
  await endDeadRuns(repository)
  const [{ makeRunsApp }, { serve }] = await Promise.all([
    import('./web/app.ts'),
    import('@hono/node-server'),
  ])
  const app = makeRunsApp(repository, [
    listen,
    hostname(),
    ...(url === undefined ? [] : [new URL(url).hostname]),
  ])
  const over = stopSignal()
  const server = serve({ fetch: app.fetch, hostname: listen, port: Number(port) })
  await new Promise<void>((done, failed) => {
    server.once('error', error => failed(temporary(`listen on '${listen}', port ${port}`, error)))
    server.once('listening', done)
  })
  const at = server.address()
  const bound = typeof at === 'object' && at ? at.port : port
  say('info', `listening on ${listenAddress({ host: listen, port: Number(bound) })}/`)
  await over
  if ('closeAllConnections' in server) server.closeAllConnections()
  server.close()
})
