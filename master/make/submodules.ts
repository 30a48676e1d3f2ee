// SUBMODULES=yes: submodules are filled with the trees of their commits, where the master can reach their repositories.
// A push names these, so the setting lets its author read what the master may read; README says so.

import { createHash } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

import type { Instead, Packer } from '../../lib/bundle/pack.ts'
import { quoteBytes } from '../../lib/bundle/tar.ts'
import { GitError, Repository } from '../../lib/git/repository.ts'
import type { Commit } from '../../lib/git/repository.ts'
import type { TreeEntry } from '../../lib/git/tree.ts'

/** Has the other side of a fetch give any commit, where that is a program of this host. */
export const UPLOAD_ANY = '--upload-pack=git -c uploadpack.allowAnySHA1InWant=true upload-pack'

/** Submodules in submodules, so deep. */
const DEPTH_MAX = 10

/** So long a repository is fetched at most, in milliseconds. */
const FETCH_TIMEOUT_MS = 600_000

/** No question is asked of anybody, and no program is started but what a transport of git is. */
const FETCHING = {
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: 'true',
  SSH_ASKPASS: 'true',
  GIT_SSH_COMMAND: process.env['GIT_SSH_COMMAND'] ?? 'ssh -oBatchMode=yes',
  GIT_ALLOW_PROTOCOL: 'file:git:http:https:ssh',
}

/** Where a submodule stands. */
export interface Around {
  readonly repository: Repository
  /** The commit of that repository which names it. */
  readonly commit: string
  /** Where that repository's tree is in the archive: empty, or a path with a slash. */
  readonly prefix: string
  readonly depth: number
  readonly scratch: string
}

/** Packs the tree of a submodule. Throws GitError if its commit is not to be had. */
export async function packSubmodule(
  around: Around,
  entry: TreeEntry,
  packer: Packer,
  below: (repository: Repository) => Instead,
): Promise<boolean> {
  const fail = (why: string) => new GitError(`the submodule ${quoteBytes(entry.name)} cannot be had: ${why}`)
  if (around.depth >= DEPTH_MAX) throw fail(`it is in ${DEPTH_MAX} others`)
  const url = await urlOf(around, entry.name.slice(around.prefix.length))
  if (url === undefined) throw fail('.gitmodules does not say where it is')
  const scratch = join(
    around.scratch,
    createHash('sha256').update(entry.name, 'latin1').digest('hex').slice(0, 32),
  )
  const inner = new Repository(scratch, around.repository.signal, FETCHING)
  try {
    const { tree } = await fetched(inner, scratch, url, entry.id)
    packer.directory(entry.name)
    await packer.tree(inner, tree, `${entry.name}/`, below(inner))
  } catch (error) {
    throw error instanceof GitError ? fail(error.message) : error
  } finally {
    inner.close()
  }
  return true
}

async function fetched(inner: Repository, scratch: string, url: string, id: string): Promise<Commit> {
  mkdirSync(scratch)
  await inner.run([
    'init',
    '-q',
    '--bare',
    '--template=',
    `--object-format=${id.length === 64 ? 'sha256' : 'sha1'}`,
  ])
  await inner.run(['config', 'remote.origin.url', url])
  const fetch = (...args: string[]) =>
    inner.run(['fetch', '-q', '--no-tags', ...args.slice(0, -1), '--end-of-options', url, args.at(-1)!], {
      patience: FETCH_TIMEOUT_MS,
    })
  const isLocal = url.startsWith('/')
  try {
    await fetch('--depth=1', ...(isLocal ? [UPLOAD_ANY] : []), id)
  } catch (error) {
    if (!(error instanceof GitError)) throw error
    // Not every server gives a commit that no ref names.
    await fetch('+refs/*:refs/theirs/*')
  }
  const commit = await inner.commit(id)
  if (!commit) throw new GitError(`there is no commit ${id} in ${url}`)
  return commit
}

/** Where the submodule at a path is, of bytes as in latin1; undefined if nothing says. */
async function urlOf({ repository, commit }: Around, path: string): Promise<string | undefined> {
  const file = await repository.file(commit, '.gitmodules', 1 << 20)
  if (!file) return undefined
  const args = [
    'config',
    `--blob=${commit}:.gitmodules`,
    '-z',
    '--get-regexp',
    '^submodule\\..*\\.(path|url)$',
  ]
  const values = new Map(
    (await repository.run(args))
      .toString('latin1')
      .split('\0')
      .map(line => [line.slice(0, line.indexOf('\n')), line.slice(line.indexOf('\n') + 1)] as const),
  )
  for (const [key, value] of values) {
    if (!key.endsWith('.path') || value.replace(/\/+$/, '') !== path) continue
    const url = values.get(key.replace(/\.path$/, '.url'))
    if (url === undefined) return undefined
    const decoded = Buffer.from(url, 'latin1').toString()
    if (!/^\.\.?\//.test(decoded)) return decoded
    return relativeTo(await originOf(repository), decoded)
  }
  return undefined
}

/** Where a repository was fetched from, or is. */
async function originOf(repository: Repository): Promise<string> {
  const set = await repository.run(['config', '--default', '', '--get', 'remote.origin.url'])
  return String(set).trimEnd() || resolve(repository.path ?? '.')
}

/** A URL that begins with `./` or `../`, from another, as git takes it. Pure. */
export function relativeTo(base: string, url: string): string {
  let from = base.replace(/\/+$/, '')
  let rest = url
  for (;;) {
    if (rest.startsWith('./')) rest = rest.slice(2)
    else if (rest.startsWith('../')) {
      rest = rest.slice(3)
      from = from.replace(/[/:][^/:]*$/, '')
    } else return `${from}/${rest}`
  }
}
