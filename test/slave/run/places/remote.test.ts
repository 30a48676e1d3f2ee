// Whose fault it is that a job gets no container.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { Fatal } from '../../../../lib/base/exit.ts'
import { MachineFault } from '../../../../slave/run/places/machine-fault.ts'
import { openContainerPlace } from '../../../../slave/run/places/remote.ts'
import { lacksPodman, Podman } from '../../../fixtures/podman.ts'
import { Sandbox } from '../../../fixtures/sandbox.ts'

test(
  'an engine that runs no container is the fault of this machine, and an image that cannot be had is not',
  { skip: lacksPodman() },
  async t => {
    const sandbox = new Sandbox(t)
    const podman = new Podman(t, sandbox)
    const work = sandbox.path('job')
    mkdirSync(work)
    const image = podman.importBusybox()
    // What runs in this very process reads it from there.
    const { env } = process
    process.env = { ...env, ...podman.env, HOST: 'here', EXEC_KEEP: '1h', CONTAINER_NETWORK: 'none' }
    t.teardown(() => {
      process.env = env
    })
    const failure = (image: string) =>
      openContainerPlace({ image, bounds: { network: 'none' } }, { work }).then(
        () => new Error('it was opened'),
        (error: unknown) => error as Error,
      )
    for (const theirs of ['127.0.0.1:1/away:1', 'nosuch:1']) {
      const error = await failure(theirs)
      t.ok(error instanceof Fatal && !(error instanceof MachineFault), error.message)
    }
    const conf = podman.env['CONTAINERS_CONF']!
    writeFileSync(conf, `${readFileSync(conf, 'utf8')}[engine.runtimes]\nrunc = ["/bin/false"]\n`)
    const error = await failure(image)
    t.ok(error instanceof MachineFault, error.message)
    t.match(error.message, /^unable to run any container: podman: /)
    t.match(
      podman.ask('images', '--format', '{{.Repository}}'),
      /^localhost\/busy$/,
      'nothing stays of the trial',
    )
  },
)
