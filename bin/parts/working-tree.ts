// The git working tree around a directory as if it had been pushed: what is not committed yet included.

import {
  closeSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join, relative } from 'node:path'

import { tryGit } from '../../lib/git/process.ts'
import { GitError, Repository } from '../../lib/git/repository.ts'
import { tolerating } from '../../lib/base/errno.ts'
import { lasting, quote } from '../../lib/base/exit.ts'
import { optional, setting, sizeLimit } from '../../lib/base/settings.ts'
import { unpack } from '../../lib/bundle/bundle.ts'
import { pack } from '../../lib/bundle/pack.ts'
import { readIfThere } from '../../lib/system/durable.ts'
import { IMAGE_NAME } from '../../lib/base/elsewhere.ts'
import { checksOf, directoriesOf, testfileIn } from '../../lib/testfile/choose.ts'
import { commandScript } from '../../lib/testfile/script.ts'
import { TESTFILE } from '../../lib/testfile/testfile.ts'
import { parseTaskName, toPart } from '../../lib/spool/task-name.ts'
import { workPaths } from '../../slave/run/environment.ts'
import { listFiles } from './listed-files.ts'
import { benchOf } from './workbench.ts'
import type { Bench } from './workbench.ts'

/** Where in the code the steps are that have no repository of their own. */
const STEPS = '.bass/'

/** Copies the tree and its steps into `work`. */
export async function copyWorkingTree(directory: string, work: string): Promise<Bench> {
  const top = tryGit(directory, 'rev-parse', '--show-toplevel')
  if (top === undefined) throw lasting(`run the steps of ${quote(directory)}`, 'it is in no git working tree')
  const { code, steps } = workPaths(work)
  const names = await listFiles(top)
  copyFiles(top, names, code)
  const own = names.filter(name => name.startsWith(STEPS)).map(name => name.slice(STEPS.length))
  const repository = optional('STEPS')
  if (repository !== undefined) await checkOut(repository, steps, work)
  else if (own.some(name => name !== IMAGE_NAME) && existsSync(join(code, STEPS)))
    copyFiles(join(top, STEPS), own, steps)
  else layTestfiles(code, relative(realpathSync(top), realpathSync(directory)), steps)
  const version = tryGit(top, 'describe', '--always', '--dirty') ?? '0'
  const name = ['0', toPart(basename(top)), toPart(version), setting('ARCH')].join(':')
  return benchOf(parseTaskName(name)!, work, {
    revision: tryGit(top, 'rev-parse', '--verify', '--quiet', 'HEAD') ?? '',
    ref: tryGit(top, 'symbolic-ref', '--quiet', 'HEAD') ?? '',
    params: {},
  })
}

/** Copies the files of these names, of bytes as in latin1, to another directory, which it makes. */
function copyFiles(from: string, names: readonly string[], to: string): void {
  const path = (directory: string, name: string) =>
    Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name, 'latin1')])
  mkdirSync(to)
  for (const name of names) {
    const source = path(from, name)
    const target = path(to, name)
    const stat = tolerating(['ENOENT', 'ENOTDIR'], () => lstatSync(source))
    // Skips files deleted but not committed; a submodule is a directory.
    if (!stat || stat.isDirectory()) continue
    mkdirSync(path(to, name.slice(0, name.lastIndexOf('/') + 1)), { recursive: true })
    if (stat.isSymbolicLink()) symlinkSync(readlinkSync(source, 'buffer'), target)
    else copyFileSync(source, target)
  }
}

/** The steps of the tip of their repository, by the same way that a bundle takes. */
async function checkOut(repository: string, to: string, work: string): Promise<void> {
  const tar = join(work, 'steps.tar')
  const maxBytes = sizeLimit('BUNDLE_MAX')
  const source = new Repository(repository)
  const fd = openSync(tar, 'wx')
  try {
    const commit = await source.commit('HEAD')
    if (!commit) throw new GitError('it has no commit yet')
    await pack(source, commit.tree, fd, { time: commit.time, compressor: ['cat'], maxBytes })
  } catch (error) {
    throw lasting(`read the steps of ${quote(repository)}`, error)
  } finally {
    source.close()
    closeSync(fd)
  }
  await unpack(tar, to, { maxBytes })
}

/** Makes a step of each line of the Testfiles in a directory of the code and above it, as a change there would run them. */
function layTestfiles(code: string, directory: string, steps: string): void {
  const found = directoriesOf([join(directory, TESTFILE)]).flatMap(place => {
    const text = readIfThere(join(code, testfileIn(place)))
    return text === undefined ? [] : [[place, text] as const]
  })
  const why = 'STEPS is not set, and there is neither .bass/ in it nor a Testfile here or above'
  if (found.length === 0) throw lasting(`run the steps of ${quote(code)}`, why)
  mkdirSync(steps)
  for (const [i, check] of checksOf(found).entries()) {
    if ('error' in check) throw lasting('read a Testfile', check.error.split('\n')[0])
    const name = `${String(i + 1).padStart(3, '0')} ${check.name.replaceAll('/', '.')}`
    writeFileSync(join(steps, name), commandScript(check.directory, check.command), { mode: 0o755 })
  }
}
