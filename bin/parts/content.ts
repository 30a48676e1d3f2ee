// The content that is copied to where a command runs: the repository around a directory, or what is mapped.

import { lstatSync } from 'node:fs'
import { isAbsolute, normalize, relative, resolve } from 'node:path'

import { ignoringENOENT, tolerating } from '../../lib/base/errno.ts'
import { lasting, quote } from '../../lib/base/exit.ts'
import { isBeside } from '../../lib/exec/bring-back.ts'
import { itemsBelow } from '../../lib/exec/pack.ts'
import type { Item } from '../../lib/exec/pack.ts'
import { listTree, toName, toPath } from '../../lib/exec/listing.ts'
import { tryGit } from '../../lib/git/process.ts'
import { listFiles } from './listed-files.ts'

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
    const items = (await Promise.all(maps.map(map => mapped(directory, map)))).flat()
    if (maps.length > 1) mustFit(items)
    return { top: directory, within: '', items }
  }
  const found = tryGit(directory, 'rev-parse', '--show-toplevel')
  if (found === undefined && !all)
    throw lasting(
      `copy ${quote(directory)}`,
      'it is in no git working tree; --all copies all of it, --map FROM:TO a part',
    )
  const top = found ?? directory
  const items = all ? await below(top, '') : await ofGit(top)
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

/** Throws if two are to have one name, or one is to be in another that is no directory. */
function mustFit(items: readonly Item[]): void {
  const files = new Set<string>()
  const mustBeFree = (name: string) => {
    if (files.has(name))
      throw lasting(
        'copy what --map names',
        `two of it are to be ${quote(Buffer.from(name, 'latin1').toString())}`,
      )
  }
  for (const { path, name } of items) {
    if (ignoringENOENT(() => lstatSync(toPath(path)))?.isDirectory()) continue
    mustBeFree(name)
    files.add(name)
  }
  for (const { name } of items)
    for (let at = name.lastIndexOf('/'); at > 0; at = name.lastIndexOf('/', at - 1))
      mustBeFree(name.slice(0, at))
}

/** All below a directory but `.git` and what others are bringing back, with names that begin with `prefix`. */
async function below(directory: string, prefix: string): Promise<Item[]> {
  return [...(await listTree(directory)).keys()]
    .filter(name => !/(^|\/)\.git(\/|$)/.test(name) && !isBeside(name))
    .map(name => ({ path: `${toName(directory)}/${name}`, name: prefix + name }))
}

/** Every file that git knows or would add, and is there. */
async function ofGit(top: string): Promise<Item[]> {
  const names = (await listFiles(top)).filter(name => !isBeside(name))
  return itemsBelow(toName(top), names).filter(
    ({ path }) => tolerating(['ENOENT', 'ENOTDIR'], () => lstatSync(toPath(path)))?.isDirectory() === false,
  )
}
