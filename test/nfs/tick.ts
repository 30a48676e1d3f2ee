// The rule about NFSv3: of two changes of a directory within one tick of the server's clock, a client that lists it
// between them does not see the second, until the directory changes again.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { listNow, noteChange } from '../../lib/system/polled.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import type { Part } from './inside.ts'

const DIRECTORIES = 50

/** Longer than a tick, and than it takes until the times are set. */
const LATER = 200

export const tick: Part = async (t, site) => {
  const [writer, reader] = [site.on(1).root, site.on(2).root]
  const lost = async (name: string, noted: boolean) => {
    const directories = Array.from({ length: DIRECTORIES }, (_, i) => `${name}${i}`)
    for (const directory of directories) mkdirSync(join(writer, directory))
    for (const directory of directories) {
      const change = (file: string) => {
        writeFileSync(join(writer, directory, file), '')
        if (noted) noteChange(join(writer, directory))
      }
      // Into another tick than the one in which the directory was made.
      await sleep(15)
      change('first')
      listIfThere(join(reader, directory))
      change('second')
    }
    await sleep(LATER)
    return directories.filter(directory => !listIfThere(join(reader, directory)).includes('second'))
  }
  const stale = await lost('plain', false)
  t.ok(stale.length > 0, `${stale.length} of ${DIRECTORIES} listings do not show what was made 200 ms ago`)
  t.same(await lost('noted', true), [], 'all do when whoever made it sets the times soon after')
  t.ok(
    stale.every(directory => listNow(join(reader, directory)).includes('second')),
    'and so do those that decide, whoever made it',
  )
}
