// The files of a working tree, as git lists them.

import { quote, temporary } from '../../lib/base/exit.ts'
import { Repository } from '../../lib/git/repository.ts'

/** The names, of bytes as in latin1, of every file that git knows or would add. One may be a submodule, or be deleted. */
export async function listFiles(top: string): Promise<string[]> {
  try {
    const args = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
    const listed = await new Repository(top).run(args)
    return [...new Set(listed.toString('latin1').split('\0').slice(0, -1))]
  } catch (error) {
    throw temporary(`list the files of ${quote(top)}`, error)
  }
}
