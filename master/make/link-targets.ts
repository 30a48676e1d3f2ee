// Steps of the code may be links to its scripts, `.bass/20-test -> ../scripts/test`. In a job the steps are a directory of
// their own, from which such a link would lead nowhere: there the file itself takes its place.

import type { Repository } from '../../lib/git/repository.ts'
import type { TreeEntry } from '../../lib/git/tree.ts'
import { walkTree } from '../../lib/git/walk.ts'

/** A file, by its blob. */
export type Target = Pick<TreeEntry, 'kind' | 'id'>

/** So many links one behind the other are followed, as Linux does. */
const LINKS_MAX = 40
const TARGET_MAX = 4096

/**
 * The files that links in the directory `at` of a commit lead to, by the name of the link below it: of links directly in
 * it, each that leads to a file of the commit; of those further down, each that leads to one outside `at`.
 */
export async function targetsOf(
  repository: Repository,
  root: string,
  directory: string,
  at: string,
): Promise<Map<string, Target>> {
  const links: string[] = []
  await walkTree(repository, directory, '', ({ kind, name }) => {
    if (kind === 'link') links.push(name)
  })
  const targets = new Map<string, Target>()
  for (const name of links) {
    const file = await follow(repository, root, `${at}/${name}`)
    if (!file || (name.includes('/') && file.name.startsWith(`${at}/`))) continue
    targets.set(name, { kind: file.kind, id: file.id })
  }
  return targets
}

/** The file that a path in a commit's tree leads to, with its name there; undefined if it leads to none, or outside. */
async function follow(repository: Repository, root: string, path: string): Promise<TreeEntry | undefined> {
  const directories = [{ id: root, name: '' }]
  const todo = path.split('/').reverse()
  for (let links = 0; todo.length > 0;) {
    const part = todo.pop()!
    if (part === '' || part === '.') continue
    if (part === '..') {
      directories.pop()
      if (directories.length === 0) return undefined
      continue
    }
    const { id, name } = directories.at(-1)!
    const entries = await repository.entries(id, name && `${name}/`)
    const entry = entries.find(entry => entry.name === (name && `${name}/`) + part)
    if (entry?.kind === 'directory') directories.push(entry)
    else if (entry?.kind === 'link') {
      const target = (await repository.blob(entry.id, TARGET_MAX))?.toString('latin1') ?? '/'
      if (target.startsWith('/') || ++links > LINKS_MAX) return undefined
      todo.push(...target.split('/').reverse())
    } else if (entry?.kind === 'submodule' || todo.length > 0) return undefined
    else return entry
  }
  return undefined
}
