// git jci push: sends stored runs.

import { lasting, quote } from '../../../lib/base/exit.ts'
import { counted } from '../../../lib/base/text.ts'
import { command } from '../../../lib/system/command.ts'
import { OURS } from '../ours.ts'
import { endDeadRuns } from '../parts/owners.ts'
import { findRepository } from '../parts/repository.ts'
import { pushRuns } from './exchange.ts'

export const verb = command(
  {
    name: 'git-jci push',
    usage: '[REMOTE]',
    operands: [0, 1],
    about: `Sends the stored runs that a remote lacks, in one push.

REMOTE is 'origin' if it is not given. It is the same as 'git push origin refs/jci-runs/*:refs/jci-runs/*', but sends
the names of those runs alone that are missing there.`,
    ...OURS,
  },
  async ([remote = 'origin']) => {
    const repository = findRepository()
    await endDeadRuns(repository)
    try {
      const count = await pushRuns(repository, remote)
      process.stdout.write(`${counted(count, 'run')} pushed to ${remote}\n`)
    } catch (error) {
      throw lasting(`push to ${quote(remote)}`, error)
    }
  },
)
