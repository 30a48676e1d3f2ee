// CODE_GIT: the code comes with a repository of some depth, in which `git rev-parse`, `log` and `describe` work. It names no
// remote, and nothing else of the master's.

import { mkdirSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

import type { Packer } from '../../lib/bundle/pack.ts'
import { Repository } from '../../lib/git/repository.ts'
import type { Commit } from '../../lib/git/repository.ts'
import { UPLOAD_ANY } from './submodules.ts'

const OURS = 'refs/bass/commit'

/** Packs the repository as `.git`. `scratch` is a directory that it may make; the caller deletes it. */
export async function packRepository(
  code: Repository,
  { id }: Commit,
  depth: number,
  scratch: string,
  packer: Packer,
): Promise<void> {
  mkdirSync(scratch)
  const made = new Repository(scratch, code.signal)
  const format = id.length === 64 ? 'sha256' : 'sha1'
  await made.run(['init', '-q', '--template=', `--object-format=${format}`])
  const from = resolve(code.path ?? '.')
  // Tags that lead to what is fetched come along.
  await made.run(['fetch', '-q', `--depth=${depth}`, UPLOAD_ANY, '--end-of-options', from, `+${id}:${OURS}`])
  await made.run(['update-ref', '--no-deref', 'HEAD', id])
  await made.run(['update-ref', '-d', OURS])
  await made.run(['read-tree', id])
  await made.run(['pack-refs', '--all'])
  made.close()
  await packDirectory(join(scratch, '.git'), '.git', packer)
}

async function packDirectory(path: string, name: string, packer: Packer): Promise<void> {
  packer.directory(name)
  const entries = readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const entry of entries) {
    const [inner, innerName] = [join(path, entry.name), `${name}/${entry.name}`]
    if (entry.isDirectory()) await packDirectory(inner, innerName, packer)
    // It names the path of the repository on the master.
    else if (entry.name !== 'FETCH_HEAD') await packer.disk(innerName, inner, 0o644)
  }
}
