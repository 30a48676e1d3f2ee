// What all commands of git jci share: exit codes of a git command, not those of the other programs here.

import { failed } from '../../lib/system/command.ts'

export const OURS = {
  exits: { '0': 'done', '1': 'anything else: the message says what' },
  allExits: true,
} as const

/** What `main` answers, with 1 for every error. */
export async function withOurCodes(main: () => Promise<number>): Promise<number> {
  try {
    return await main()
  } catch (error) {
    failed(error)
    return 1
  }
}
