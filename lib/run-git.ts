// One git command in a repository, run to its end: for the verbs that set repositories up.

import { spawnSync } from 'node:child_process'

import { lasting, quote } from './exit.ts'

/** What it printed, trimmed. What git does not want is a lasting error with its own sentence. */
export function git(repository: string, ...args: string[]): string {
  // Where we are called from a hook, GIT_DIR and its like name the repository of that.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^GIT_(?!SSH|CONFIG)/.test(name)),
  )
  const { status, stdout, stderr, error } = spawnSync('git', ['-C', repository, ...args], {
    env,
    encoding: 'utf8',
  })
  if (error) throw lasting("run 'git'", error)
  if (status === 0) return stdout.trim()
  const why = stderr.split('\n').find(line => /^(fatal|error): /.test(line)) ?? `git ${args[0] ?? ''} failed`
  throw lasting(`use the repository ${quote(repository)}`, why.replace(/^(fatal|error): /, ''))
}
