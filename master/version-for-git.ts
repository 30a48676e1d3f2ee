// The command that prints the version of a commit.

import { command, runMain } from '../lib/system/command.ts'
import { EXIT, lasting, quote } from '../lib/base/exit.ts'
import { GitError, Repository } from '../lib/git/repository.ts'
import { print } from '../lib/system/print.ts'
import { versionOf } from './make/version.ts'

export const versionForGit = command(
  {
    name: 'version-for-git',
    usage: '[REV]',
    operands: [0, 1],
    about: `Prints a human-readable version of a commit of the repository in the current directory.

REV is anything that git resolves to a commit, HEAD if it is not given. The version is that of the nearest
tag: v1.2 for the commit that is tagged, v1.2-3-gabc1234 for the third one behind it; without tags it is the
day it was committed (UTC) and the short id, 20261121-abc1234. The work tree does not matter, so it is never
dirty. Bytes that may not stand in the name of a task become '-'; of a long version the end is kept.`,
  },
  async ([revision = 'HEAD']) => {
    const repository = new Repository()
    try {
      print((await versionOf(repository, revision)) + '\n')
      return EXIT.done
    } catch (error) {
      if (error instanceof GitError) throw lasting(`describe ${quote(revision)}`, error)
      throw error
    } finally {
      repository.close()
    }
  },
)

if (require.main === module) runMain(versionForGit, 'small')
