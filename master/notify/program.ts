// A channel that is a program in the project's notify.d: it reads the notice on standard input, with the most
// needed facts in its environment. Exit 0: delivered; 100: refused; anything else: try again.

import { statSync } from 'node:fs'
import { join } from 'node:path'

import { named } from './channel.ts'
import { POLICIES } from './policy.ts'
import type { Channel, ChannelKind } from './channel.ts'
import { ignoringENOENT } from '../../lib/base/errno.ts'
import { EXIT } from '../../lib/base/exit.ts'
import { isPart } from '../../lib/spool/task-name.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import { Refused } from './deliver.ts'
import type { Deliver } from './deliver.ts'
import { tellProgram } from './tell-program.ts'
import type { Notice } from './notice.ts'

/** Variables that programs of a project do not get. */
const SECRET = /^(NOTIFY_(KEY|PASSWORD)|REPORTER_TOKEN|FORGE_(TOKEN|SECRET|APP_KEY))/

export const program: ChannelKind = {
  name: 'program',
  read: ({ project, programs }) =>
    listIfThere(programs)
      .filter(file => isPart(file) && isProgram(join(programs, file)))
      .map((file): Channel => {
        const policy = POLICIES.find(policy => file.endsWith(`.${policy}`)) ?? 'changes'
        const target = join(programs, file)
        return { project, kind: 'program', target, policy, name: `program-${named(file, file)}` }
      }),
  open: (channel, env) => ({ deliver: deliverer(channel, env) }),
}

function isProgram(path: string): boolean {
  const stat = ignoringENOENT(() => statSync(path))
  return stat?.isFile() === true && (stat.mode & 0o111) !== 0
}

function deliverer({ target }: Channel, env: NodeJS.ProcessEnv): Deliver {
  const inherited = Object.fromEntries(Object.entries(env).filter(([name]) => !SECRET.test(name)))
  return async (notice, body) => {
    const { code, why } = await tellProgram([target], body, { ...inherited, ...variablesOf(notice) })
    if (code === EXIT.done) return
    throw code === EXIT.lasting ? new Refused(why) : new Error(why)
  }
}

function variablesOf({ id, stage, change, url, task }: Notice): Record<string, string> {
  return {
    BASS_DELIVERY: id,
    BASS_STAGE: stage,
    BASS_CHANGE: change ?? '',
    BASS_VERDICT: (stage === 'over' && task.job?.verdict) || '',
    BASS_URL: url ?? '',
    BASS_TASK: task.name,
    BASS_PROJECT: task.project,
    BASS_VERSION: task.version,
    BASS_ARCH: task.arch,
    BASS_REVISION: task.revision ?? '',
    BASS_REF: task.ref ?? '',
  }
}
