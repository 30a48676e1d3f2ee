// bass doctor: what is wrong on this host, and what to type.

import { command } from '../lib/system/command.ts'
import { checkAtomic, checkDirectories, checkFileSystem } from './doctor/spool.ts'
import type { Finding } from './doctor/finding.ts'
import { checkDeliveries } from './doctor/deliveries.ts'
import { checkForges } from './doctor/forges.ts'
import { checkClocks, checkHostNames, checkTakers, watchTakers } from './doctor/hosts.ts'
import { checkPlaces } from './doctor/places.ts'
import { checkChannels } from './doctor/channels.ts'
import { checkPrograms } from './doctor/programs.ts'
import { checkRepositories } from './doctor/repositories.ts'
import { checkSecretFiles, checkSecretSettings } from './doctor/secrets.ts'
import { checkSettings } from './doctor/settings.ts'
import { readSettingsFiles } from './doctor/settings-files.ts'
import { checkArchs, checkEvents } from './doctor/work.ts'
import { setting } from '../lib/base/settings.ts'
import { settingNames } from '../lib/conf/setting-names.ts'
import { spoolAt } from '../lib/spool/spool.ts'
import type { Spool } from '../lib/spool/spool.ts'
import { terminalOf } from './parts/terminal.ts'
import { harmless } from '../lib/base/text.ts'

export const verb = command(
  {
    name: 'bass doctor',
    usage: '[--json]',
    operands: [0, 0],
    about: `Looks at this host and its spool, and prints a line for each thing: ok, or what is wrong and what to
type.

It looks at the settings and where each comes from, in every file; git, tmux and the compressor; which
places for steps work here: a pid namespace, a sandbox, a container, a machine behind ssh; the
spool's file system; rename, link and fsync, by trying them in tmp; directories that cannot be
written; two hosts with one name; clocks that differ; architectures that nobody takes; events that
nobody makes into tasks; secrets that others can read; of each project whether git opens its
repositories, its hook, its channels and the mailer; and of one on a forge its token, webhook, clock,
mirror, and whether a delivery was lost. It removes what it tries; where IMAGE or RUN_IN is set it
starts an executor there, which stays for the next job. It takes up to 4 s, to see the takers of other
hosts beat.

--json prints { ok, findings: [{ check, subject, ok, text, fix }] }, where check is setting,
program, file-system, atomic, directory, host-name, clock, taker, arch, event, repository, hook,
secret, channel, mailer, forge, token, webhook, delivery, mirror or place, and fix is null if ok.`,
    options: { json: { type: 'boolean', about: 'print it for programs' } },
    environment: { SPOOL: 'the spool; without one, only what has to do with none is looked at' },
    exits: { '0': 'all is well', '1': 'something is wrong' },
  },
  async (_, { json }) => {
    const names = settingNames()
    const [places, spool] = await Promise.all([
      checkPlaces(process.env),
      process.env['TASKS'] ? checkSpool(spoolOfSettings(), names) : checkSecretFiles([]),
    ])
    const findings = [
      ...checkSettings(names, process.env),
      ...checkPrograms(process.env),
      ...places,
      ...spool,
    ]
    const ok = findings.every(finding => finding.ok)
    process.stdout.write(
      json ? JSON.stringify({ ok, findings }, null, 2) + '\n' : findings.map(lineOf).join('\n') + '\n',
    )
    return ok ? 0 : 1
  },
)

/** Not `openSpool`, which ends the program where something is missing, and makes what may be made. */
const spoolOfSettings = () => spoolAt(setting('SPOOL'), setting('TASKS'), setting('JOBS'))

async function checkSpool(spool: Spool, names: readonly string[]): Promise<Finding[]> {
  const takers = await watchTakers(spool)
  const host = setting('HOST')
  const { projects, findings } = readSettingsFiles(spool, names)
  return [
    ...findings,
    ...checkFileSystem(spool),
    ...[spool.tasks.tmp, spool.jobs.tmp].map(checkAtomic),
    ...checkDirectories(spool, process.env),
    ...checkHostNames(takers, host),
    ...checkClocks(spool, takers, host),
    ...checkTakers(takers),
    ...checkArchs(spool, takers),
    ...checkEvents(spool),
    ...checkRepositories(
      spool,
      projects,
      takers.every(taker => taker.host === host),
    ),
    ...checkSecretFiles(projects),
    ...checkSecretSettings(spool, projects),
    ...(await checkChannels(spool, projects)),
    ...(await checkForges(projects)),
    ...(await checkDeliveries(spool, projects)),
  ]
}

function lineOf({ check, subject, ok, text, fix }: Finding): string {
  const terminal = terminalOf()
  const label = ok ? terminal.paint('green', 'ok   ') : terminal.paint('red', 'WRONG')
  return `${label}  ${harmless(`${check} ${subject}: ${text}${fix === null ? '' : `; ${fix}`}`)}`
}
