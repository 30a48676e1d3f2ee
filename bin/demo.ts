// bass demo: shows a push, or a change on a forge, become a result, right after installation.

import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'

import { command } from '../lib/system/command.ts'
import { EXIT } from '../lib/base/exit.ts'
import { findEngine } from '../lib/container/engine.ts'
import { tellLine, Stage } from './demo/stage.ts'

export const verb = command(
  {
    name: 'bass demo',
    usage: '[--forge | --farmer | --jci | --container] [--web] [--keep]',
    operands: [0, 0],
    about: `Shows a push becoming a result, with this project's own history as the code, on this machine.

In a temporary directory it makes a spool, a bare repository with the hook, and a repository with
four steps; pushes; runs the programs; and follows the job. Then everything is stopped and removed,
unless something failed: then the directory stays. Needs git and no network.

With --web the job can be watched in a browser as well: the address is printed, and opened where
there is a display. In a terminal the pages then stay until you press Enter.

With --forge the code is on a forge: a small stand-in for a Gitea, on a free port of this host. A
project is set up and its webhook registered; then a pull request is opened that touches two of
three directories with a Testfile, and its checks turn green on the forge's page and here.

With --farmer it shows the same without a spool: a farmer with a PostgreSQL of its own, whose
binaries must be installed, a signed webhook, jobs of Testfiles, and a worker.

With --jci it shows 'git jci' instead: a run, a push of its result, and the page of who pulls it.

With --container the code names an image and its steps run in a container of that, with podman or
docker; the image is made of a few programs of this machine, and removed afterwards.`,
    options: {
      keep: { type: 'boolean', about: 'keep the directory' },
      web: { type: 'boolean', about: 'serve the pages on a free port of this host, and open them' },
      forge: { type: 'boolean', about: 'show a pull request on a forge; its pages are served anyway' },
      farmer: { type: 'boolean', about: 'show a farmer and a worker' },
      jci: { type: 'boolean', about: 'show results as refs of a repository' },
      container: { type: 'boolean', about: 'show steps in a container' },
    },
    environment: {
      CONTAINER: 'podman or docker, with options; else whichever is there',
      TMPDIR: 'where the directory is made; else /tmp',
      'DISPLAY, WAYLAND_DISPLAY': 'where xdg-open shows the pages',
      NO_COLOR: 'no colours',
    },
    exits: { '0': 'the job succeeded', '1': 'it failed', '99': 'it timed out', '130, 143': 'interrupted' },
  },
  async (_, { keep, web, forge, farmer, jci, container }) => {
    // Where there is none, that is all that is said.
    if (container) findEngine()
    const directory = mkdtempSync(join(realpathSync(tmpdir()), 'bass-demo-'))
    const interrupt = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => interrupt.abort(signal))
    }
    let seen = false
    try {
      const stage = new Stage(directory, interrupt.signal)
      const plays = [
        [forge, loadForge],
        [farmer, loadFarm],
        [jci, loadJci],
        [container, loadContainer],
      ] as const
      const load = plays.find(([isWanted]) => isWanted)?.[1] ?? loadPush
      const code = await (await load())(stage, web)
      seen = code === EXIT.done
      return code
    } catch (error) {
      if (!interrupt.signal.aborted) throw error
      seen = true
      return 128 + constants.signals[interrupt.signal.reason as NodeJS.Signals]
    } finally {
      if (seen && !keep) rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
      else tellLine(`Everything is still in ${directory}.`)
    }
  },
)

// Each is loaded alone.
const loadForge = async () => (await import('./demo/forge-play.ts')).playForge
const loadFarm = async () => (await import('./demo/farm-play.ts')).playFarm
const loadJci = async () => (await import('./demo/jci-play.ts')).playJci
const loadContainer = async () => (await import('./demo/container-play.ts')).playContainer
const loadPush = async () => (await import('./demo/push-play.ts')).playPush
