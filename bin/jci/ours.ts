// Common to all commands of git jci: exit codes of a git command, not those of the other programs here.

export const OURS = {
  exits: { '0': 'done', '1': 'anything else: the message says what' },
  allExits: true,
} as const
