// The content that is copied to where a command runs: the repository around a directory, or what is mapped.

import { lstatSync } from 'node:fs'
import { isAbsolute, join, normalize, relative, resolve } from 'node:path'

import { ignoringENOENT } from '../../lib/base/errno.ts'
import { lasting, quote, temporary } from '../../lib/base/exit.ts'
import type { Item } from '../../lib/exec/pack.ts'
import { listTree, toName } from '../../lib/exec/listing.ts'
import { askGit, tryGit } from '../../lib/git/process.ts'

export interface Content {
  /** The directory whose copy it is. */
  readonly top: string
  /** Where in that we are: empty, or a relative path. */
  readonly within: string
  readonly items: readonly Item[]
}

/** `all` takes also what git ignores; `maps` are `FROM:TO`, where TO is below the copy. */
export async function contentOf(directory: string, maps: readonly string[], all: boolean): Promise<Content> {
  if (maps.length > 0) {
    const items = await Promise.all(maps.map(map => mapped(directory, map)))
    return { top: directory, within: '', items: items.flat() }
  }
  const found = tryGit(directory, 'rev-parse', '--show-toplevel')
  if (found === undefined && !all)
    throw lasting(
      `copy ${quote(directory)}`,
      'it is in no git working tree; --all copies all of it, --map FROM:TO a part',
    )
  const top = found ?? directory
  const items = all ? await below(top, '') : ofGit(top)
  return { top, within: relative(top, directory), items }
}

async function mapped(directory: string, map: string): Promise<Item[]> {
  const at = map.lastIndexOf(':')
  const to = normalize(map.slice(at + 1)).replace(/\/$/, '')
  if (at < 1 || isAbsolute(to) || to === '..' || to.startsWith('../'))
    throw lasting('understand --map', `${quote(map)} is not FROM:TO with a TO below the copy`)
  const from = resolve(directory, map.slice(0, at))
  const stat = ignoringENOENT(() => lstatSync(from))
  if (!stat) throw lasting(`copy ${quote(from)}`, 'no such file or directory')
  const name = to === '.' ? '' : toName(to)
  if (!stat.isDirectory())
    return [{ path: toName(from), name: name || toName(from.slice(from.lastIndexOf('/') + 1)) }]
  return below(from, name === '' ? '' : `${name}/`)
}

/** All below a directory but `.git`, with names that begin with `prefix`. */
async function below(directory: string, prefix: string): Promise<Item[]> {
  return [...(await listTree(directory)).keys()]
    .filter(name => !/(^|\/)\.git(\/|$)/.test(name))
    .map(name => ({ path: `${toName(directory)}/${name}`, name: prefix + name }))
}

/** Every file that git knows or would add, and is there. */
function ofGit(top: string): Item[] {
  const listed = askGit(top, 'ls-files', '-z', '--cached', '--others', '--exclude-standard')
  if (listed === undefined) throw temporary(`list the files of ${quote(top)}`, 'git failed')
  return [...new Set(listed.split('\0'))]
    .filter(name => name !== '' && ignoringENOENT(() => lstatSync(join(top, name)))?.isDirectory() === false)
    .map(name => ({ path: toName(join(top, name)), name: toName(name) }))
}
