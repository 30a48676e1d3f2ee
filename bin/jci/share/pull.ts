// git jci pull: fetches stored runs.

import { lasting, quote } from '../../../lib/base/exit.ts'
import { counted } from '../../../lib/base/text.ts'
import { command } from '../../../lib/system/command.ts'
import { OURS } from '../ours.ts'
import { findRepository } from '../parts/repository.ts'
import { pullRuns } from './exchange.ts'

export const verb = command(
  {
    name: 'git-jci pull',
    usage: '[REMOTE]',
    operands: [0, 1],
    about: `Fetches the stored runs that a remote has and this repository lacks.

REMOTE is 'origin' if it is not given. No run of yours is overwritten.`,
    ...OURS,
  },
  async ([remote = 'origin']) => {
    try {
      const count = await pullRuns(findRepository(), remote)
      process.stdout.write(`${counted(count, 'run')} pulled from ${remote}\n`)
    } catch (error) {
      throw lasting(`pull from ${quote(remote)}`, error)
    }
  },
)
