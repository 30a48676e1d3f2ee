// Packs a directory into a .tar.s2 on standard output, and says on standard error how many MB of memory that took.

import { pipeline } from 'node:stream/promises'

import { writeS2 } from '../../lib/bundle/s2.ts'
import { listTree, toName } from '../../lib/exec/listing.ts'
import { tarOf } from '../../lib/exec/pack.ts'

async function main(root: string): Promise<void> {
  const names = [...(await listTree(root)).keys()]
  await pipeline(
    writeS2(tarOf(names.map(name => ({ name, path: `${toName(root)}/${name}` })))),
    process.stdout,
  )
  process.stderr.write(String(process.resourceUsage().maxRSS / 1024))
}

void main(process.argv[2]!)
