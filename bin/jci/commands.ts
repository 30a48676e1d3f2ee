// The commands of git jci: what each is for.

import { fill } from '../../lib/base/description.ts'
import type { Description } from '../../lib/base/description.ts'
import type { Command } from '../../lib/system/command.ts'
import { columns } from '../../lib/system/print.ts'
import { OURS } from './ours.ts'
import { RUNNER_SETTINGS, SERVER_SETTINGS } from './settings.ts'

interface Entry {
  readonly usage: string
  /** One line, without a full stop. */
  readonly about: string
  readonly load: () => Promise<{ readonly verb: Command }>
}

/** By their words, in the order of the usage. */
export const COMMANDS: ReadonlyMap<string, Entry> = new Map(
  Object.entries({
    run: {
      usage: 'run [--commit C]',
      about: 'run .jci/run.sh for HEAD and store what came of it',
      load: () => import('./run.ts'),
    },
    web: {
      usage: 'web [PORT]',
      about: 'show stored runs in a browser',
      load: () => import('./web.ts'),
    },
    push: {
      usage: 'push [REMOTE]',
      about: 'send stored runs that the remote lacks',
      load: () => import('./share/push.ts'),
    },
    pull: {
      usage: 'pull [REMOTE]',
      about: 'fetch all stored runs',
      load: () => import('./share/pull.ts'),
    },
    prune: {
      usage: 'prune [--commit]',
      about: 'show, and with --commit remove, old runs',
      load: () => import('./share/prune.ts'),
    },
    cron: {
      usage: 'cron ls|sync',
      about: 'runs at fixed times, by your crontab',
      load: () => import('./cron.ts'),
    },
    server: {
      usage: 'server',
      about: 'take webhooks of a Gitea or Forgejo, and give jobs to runners',
      load: () => import('./server.ts'),
    },
    runner: {
      usage: 'runner',
      about: 'do the jobs of a server',
      load: () => import('./runner.ts'),
    },
  }),
)

export const DESCRIPTION: Description = {
  name: 'git-jci',
  usage: 'COMMAND [ARGUMENT...]',
  operands: [0, 0],
  about: `Keeps the results of runs in the repository itself, as refs that travel with push and fetch.

${[...COMMANDS.values()].map(({ usage, about }) => `git jci ${usage}: ${about}.`).join('\n\n')}`,
  ...OURS,
}

/** The same with the settings of server and runner, for the manual page. */
export const FULL_DESCRIPTION: Description = {
  ...DESCRIPTION,
  environment: { ...SERVER_SETTINGS, ...RUNNER_SETTINGS, JCI_JOB_TIMEOUT: SERVER_SETTINGS.JCI_JOB_TIMEOUT },
}

/** One screen. */
export function overview(): string {
  const rows = [...COMMANDS.values()].map(({ usage, about }) => `  ${usage.padEnd(22)}  ${about}`)
  const settings = (all: Readonly<Record<string, string>>) =>
    Object.entries(all)
      .map(([name, about]) => `  ${name.padEnd(22)}  ${about}`)
      .join('\n')
  const text = `usage: git-jci COMMAND [ARGUMENT...]

${rows.join('\n')}
  ${'version'.padEnd(22)}  show the version
  ${'help [COMMAND]'.padEnd(22)}  show this, or all about a command

environment of server:
${settings(SERVER_SETTINGS)}

environment of runner:
${settings(RUNNER_SETTINGS)}

exit codes:
${Object.entries(OURS.exits)
  .map(([code, about]) => `  ${code}  ${about}`)
  .join('\n')}
`
  return fill(text, columns())
}
