// Where the steps of a job run, if not here: as the settings say, or else as the code does, which may ask for an image.

import { join } from 'node:path'

import { IMAGE_FILE } from '../../lib/base/elsewhere.ts'
import type { Elsewhere } from '../../lib/base/elsewhere.ts'
import { readIfThere } from '../../lib/system/durable.ts'
import { workPaths } from './environment.ts'
import type { Plan } from './plan.ts'

export type Away = Exclude<Elsewhere, { readonly here: true }>

/** The content of `place.txt`. Pure. */
export const placeText = (away: Away): string =>
  'host' in away ? `ssh ${away.host}\n` : `image ${away.image}\n`

/** Undefined for here. For once the code is unpacked. */
export function findElsewhere({
  limits: { elsewhere },
  work,
}: Pick<Plan, 'limits' | 'work'>): Away | undefined {
  if (elsewhere) return 'here' in elsewhere ? undefined : elsewhere
  const image = readIfThere(join(workPaths(work).code, IMAGE_FILE))?.trim()
  return image === undefined || image === '' ? undefined : { image }
}
