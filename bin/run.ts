// bass run: the steps of a task, or of the working tree, on this machine.

import { lasting, quote } from '../lib/base/exit.ts'
import { command } from '../lib/system/command.ts'
import { findOne } from './views/find-task.ts'
import { EXIT_OF, VERDICT_EXITS } from './parts/verdict-style.ts'
import { LIMITS_HELP } from '../slave/run/limits.ts'
import { atBench, runBench, tellOutcome, layTask } from './parts/workbench.ts'
import type { Bench } from './parts/workbench.ts'
import { copyWorkingTree } from './parts/working-tree.ts'
import { openSpoolHere } from './views/open.ts'

export const verb = command(
  {
    name: 'bass run',
    usage: '[--keep] [TASK]',
    operands: [0, 1],
    about: `Runs the steps of a task on this machine, as a slave would, without touching the spool.

TASK is a number, a name, a revision or its beginning, PROJECT[/REF], or 'last'. Without TASK it
runs those of the git working tree around the current directory: a copy of all files but those that
git ignores, with the steps of the repository STEPS, or without that those in .bass/, or without
those the lines of the Testfiles of the current directory and of those above. After a success the
files are deleted; after anything else they stay, and it says where.`,
    options: { keep: { type: 'boolean', about: 'leave the files there in any case' } },
    environment: {
      SPOOL: 'the spool, for TASK',
      STEPS: 'the repository of the steps of the working tree',
      JOBTMP: 'where the files go',
      BUNDLE_MAX: 'how large a bundle may be',
      ...LIMITS_HELP,
    },
    exits: VERDICT_EXITS,
  },
  async ([text], { keep }) => {
    const { outcome } = await atBench(async work => {
      const bench =
        text === undefined ? await copyWorkingTree(process.cwd(), work) : await unpacked(text, work)
      const outcome = await runBench(bench)
      tellOutcome(outcome)
      const stays = keep || outcome.verdict !== 'success'
      if (stays) process.stderr.write(`the files are in ${work}\n`)
      return { outcome, keep: stays }
    })
    return EXIT_OF[outcome.verdict]
  },
)

async function unpacked(text: string, work: string): Promise<Bench> {
  const { task, taskAt } = findOne(openSpoolHere(), text)
  if (taskAt === undefined) throw lasting(`unpack ${quote(task.name)}`, 'its task was pruned')
  return layTask(task, taskAt, work)
}
