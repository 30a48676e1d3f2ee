// bass approve: lets a change run that waits for a person.

import { lasting, quote } from '../lib/base/exit.ts'
import { harmless } from '../lib/base/text.ts'
import { command, usage } from '../lib/system/command.ts'
import { ACTING_ENVIRONMENT, openViews } from './views/open.ts'

const description = {
  name: 'bass approve',
  usage: '[--json] PROJECT N [REVISION]',
  operands: [2, 3],
  about: `Lets change N of PROJECT run: the head that it has now, and no later one.

A change is held when its author is not trusted (FORGE_TRUST); 'bass status' lists those that are. With
REVISION, the beginning of a commit id, it is refused if the change has another head meanwhile. Look at
what the change does first: its steps and Testfiles run on your machines.`,
  options: { json: { type: 'boolean', about: 'print what was approved, for programs' } },
  environment: ACTING_ENVIRONMENT,
} as const

export const verb = command(description, async ([project, number, revision], { json }) => {
  if (!/^[1-9]\d{0,14}$/.test(number!))
    throw usage(description, `${quote(number!)} is not the number of a change`)
  if (revision !== undefined && !/^[0-9a-f]{4,64}$/.test(revision))
    throw usage(description, `${quote(revision)} is not the beginning of a commit id, of 4 digits or more`)
  const views = await openViews()
  const refuse = (why: string) => lasting(`approve change ${number!} of ${quote(project!)}`, why)
  const { held: ours } = await views.status(project, 0)
  const change = ours.find(change => change.number === Number(number))
  const others = ours.map(({ number }) => String(number)).join(', ') || 'none'
  if (!change) throw refuse(`it is not held; those of this project that are: ${others}`)
  if (revision !== undefined && !change.revision.startsWith(revision))
    throw refuse(`its head is ${change.revision} meanwhile`)
  if (!(await views.approve(change))) throw refuse('it is not held any more')
  const said = `approved ${change.revision}: ${harmless(change.title)}`
  process.stdout.write((json ? JSON.stringify(change, null, 2) : said) + '\n')
})
