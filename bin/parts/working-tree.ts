// The git working tree around a directory as if it had been pushed: what is not committed yet included.

import { spawnSync } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'

// node:fs has only an experimental one in Node 20.
import { copySync } from 'fs-extra'

import { tryGit } from '../../lib/git/process.ts'
import { ignoringENOENT } from '../../lib/base/errno.ts'
import { lasting, quote, temporary } from '../../lib/base/exit.ts'
import { optional, setting, sizeLimit } from '../../lib/base/settings.ts'
import { unpack } from '../../lib/bundle/bundle.ts'
import { readIfThere } from '../../lib/system/durable.ts'
import { checksOf, directoriesOf, testfileIn } from '../../lib/testfile/choose.ts'
import { commandScript } from '../../lib/testfile/script.ts'
import { TESTFILE } from '../../lib/testfile/testfile.ts'
import { parseTaskName, toPart } from '../../lib/spool/task-name.ts'
import { workPaths } from '../../slave/run/environment.ts'
import { benchOf } from './workbench.ts'
import type { Bench } from './workbench.ts'

/** Copies the tree and its steps into `work`. */
export async function copyWorkingTree(directory: string, work: string): Promise<Bench> {
  const top = tryGit(directory, 'rev-parse', '--show-toplevel')
  if (top === undefined) throw lasting(`run the steps of ${quote(directory)}`, 'it is in no git working tree')
  const { code, steps } = workPaths(work)
  copyFiles(top, code)
  const repository = optional('STEPS')
  if (repository !== undefined) await checkOut(repository, steps, work)
  else if (existsSync(join(code, '.bass'))) copySync(join(code, '.bass'), steps)
  else layTestfiles(code, relative(realpathSync(top), realpathSync(directory)), steps)
  const version = tryGit(top, 'describe', '--always', '--dirty') ?? '0'
  const name = ['0', toPart(basename(top)), toPart(version), setting('ARCH')].join(':')
  return benchOf(parseTaskName(name)!, work, {
    revision: tryGit(top, 'rev-parse', '--verify', '--quiet', 'HEAD') ?? '',
    ref: tryGit(top, 'symbolic-ref', '--quiet', 'HEAD') ?? '',
    params: {},
  })
}

/** Every file that git knows or would add. */
function copyFiles(top: string, to: string): void {
  const listed = tryGit(top, 'ls-files', '-z', '--cached', '--others', '--exclude-standard')
  if (listed === undefined) throw temporary(`list the files of ${quote(top)}`, 'git failed')
  mkdirSync(to)
  for (const name of new Set(listed.split('\0'))) {
    const stat = name === '' ? undefined : ignoringENOENT(() => lstatSync(join(top, name)))
    // What was deleted and not yet committed is not there; a submodule is a directory.
    if (!stat || stat.isDirectory()) continue
    mkdirSync(dirname(join(to, name)), { recursive: true })
    if (stat.isSymbolicLink()) symlinkSync(readlinkSync(join(top, name)), join(to, name))
    else copyFileSync(join(top, name), join(to, name))
  }
}

/** The steps of the tip of their repository, by the same way that a bundle takes. */
async function checkOut(repository: string, to: string, work: string): Promise<void> {
  const tar = join(work, 'steps.tar')
  const args = ['-C', repository, '-c', 'tar.umask=0022', 'archive', '--format=tar', '-o', tar, 'HEAD']
  const { status, stderr } = spawnSync('git', args, { encoding: 'utf8' })
  if (status !== 0) throw lasting(`read the steps of ${quote(repository)}`, stderr.trim().split('\n').at(-1))
  await unpack(tar, to, { maxBytes: sizeLimit('BUNDLE_MAX') })
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
