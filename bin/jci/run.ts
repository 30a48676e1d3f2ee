// git jci run: runs `.jci/run.sh` for a commit, and stores what came of it as a ref.

import { command } from '../../lib/system/command.ts'
import { warn } from '../../lib/system/log.ts'
import { OURS } from './ours.ts'
import { perform } from './parts/perform.ts'
import { pushRuns } from './share/exchange.ts'

export const verb = command(
  {
    name: 'git-jci run',
    usage: '[--commit COMMIT] [--share REMOTE]',
    operands: [0, 0],
    about: `Runs .jci/run.sh of the work tree for the commit HEAD, and stores its output as a ref.

The script runs with bash in a new output directory. It has the environment of this command, and JCI_COMMIT,
JCI_REPO_ROOT and JCI_OUTPUT_DIR. What it leaves in the output directory is stored as the commit
refs/jci-runs/COMMIT/RUNID, with status.txt, run.output.txt and, if it made none, index.html. While it
runs, the ref says 'running'. Where there is no .jci/run.sh, the steps in .bass/ are run.

A script that fails is stored as well; then the exit code is 1.`,
    options: {
      commit: {
        type: 'string',
        value: 'COMMIT',
        about: 'test a clean checkout of this commit, in a temporary worktree',
      },
      share: { type: 'string', value: 'REMOTE', about: 'push the run there when it begins and when it ends' },
    },
    environment: { TMPDIR: 'where the output directory is made' },
    ...OURS,
  },
  async (_, { commit, share }) => {
    const onStored = share === undefined ? undefined : (repository: string) => shareRuns(repository, share)
    return (await perform({ commit, ...(onStored ? { onStored } : {}) })).ok ? 0 : 1
  },
)

/** Those who wait for it see it earlier; a push that fails now may work later. */
async function shareRuns(repository: string, remote: string): Promise<void> {
  try {
    await pushRuns(repository, remote)
  } catch (error) {
    warn('push the run to', remote, error)
  }
}
