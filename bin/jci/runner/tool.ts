// The programs that are put into a container besides this tree, because an image may lack them: node, git, bash, and the libraries that
// they need, each behind a small script that starts it with those.

import { chmodSync, copyFileSync, existsSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

import { lasting, quote } from '../../../lib/base/exit.ts'
import { makeDirectories } from '../../../lib/system/directories.ts'
import { librariesOf } from '../../../lib/exec/runtime.ts'
import { move } from '../../../lib/system/durable.ts'
import { failureOf, runSync } from '../../../lib/system/run.ts'

/** Where the two directories are seen in a container. */
export const TREE_INSIDE = '/jci/bass'
export const TOOLS = '/jci/tools'

/** Lays the programs into a directory, unless an earlier runner of the same node has. Returns it. */
export function layTools(directory: string): string {
  const tools = join(directory, `tools-${process.version}`)
  if (existsSync(tools)) return tools
  const made = `${tools}.new`
  rmSync(made, { recursive: true, force: true })
  for (const name of ['bin', 'lib', 'libexec', 'git-core']) makeDirectories(join(made, name))
  const path = (program: string) => realpathSync(ask('sh', '-c', 'command -v "$0"', program))
  const core = ask('git', '--exec-path')
  const carry = (program: string, from: string, into: string, extra = '') => {
    copyFileSync(from, join(made, 'libexec', program))
    const loader = copyLibraries(from, join(made, 'lib'))
    const start = `exec ${TOOLS}/lib/${loader} --library-path ${TOOLS}/lib ${TOOLS}/libexec/${program}`
    writeFileSync(join(made, into, program), `#!/bin/sh\n${extra}${start} "$@"\n`)
    chmodSync(join(made, into, program), 0o755)
  }
  const gitPlace = `GIT_EXEC_PATH=${TOOLS}/git-core GIT_TEMPLATE_DIR=${TOOLS}/none\nexport GIT_EXEC_PATH GIT_TEMPLATE_DIR\n`
  carry('node', process.execPath, 'bin')
  carry('bash', path('bash'), 'bin')
  carry('git', path('git'), 'bin', gitPlace)
  copyFileSync(join(made, 'bin/git'), join(made, 'git-core/git'))
  for (const name of ['git-remote-http', 'git-remote-https'])
    carry(name, realpathSync(join(core, name)), 'git-core')
  move(made, tools)
  return tools
}

function ask(...command: string[]): string {
  const asked = runSync(command)
  if (asked.code !== 0) throw lasting(`run ${quote(command.join(' '))}`, failureOf(asked))
  return asked.stdout.trim()
}

/** Copies the libraries of a program; returns the name of its loader. */
function copyLibraries(program: string, to: string): string {
  const files = librariesOf(program)
  for (const file of files) copyFileSync(file, join(to, basename(file)))
  const loader = files.map(file => basename(file)).find(name => name.startsWith('ld-'))
  if (loader === undefined) throw lasting(`put ${quote(program)} into containers`, 'it has no loader')
  return loader
}
