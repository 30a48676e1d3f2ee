// The repository of a job on this side: at first it holds nothing but where it came from.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { shellQuote } from '../../../lib/base/shell-quote.ts'
import type { Assigned } from './place.ts'

/**
 * Sets where a repository came from. The credential goes into a file of the repository, and into no argument; git is told it
 * for that server alone, to whichever other that one sends it. Throws TypeError if that is no address.
 */
export function setOrigin(directory: string, cloneUrl: string): void {
  const url = new URL(cloneUrl)
  const file = join(directory, '.git/jci-credential')
  writeFileSync(file, `${url.protocol}//${url.username}:${url.password}@${url.host}\n`, { mode: 0o600 })
  url.username = url.password = ''
  const config = join(directory, '.git/config')
  const [before] = readFileSync(config, 'utf8').split(BEGIN) as [string]
  // No other helper is asked, or told the password to keep it.
  const ours = `[remote "origin"]
	url = ${quoted(url.href)}
	fetch = +refs/heads/*:refs/remotes/origin/*
[credential "${url.origin}"]
	helper =
	helper = ${quoted(`store --file=${shellQuote(file)}`)}
`
  writeFileSync(config, before + BEGIN + ours)
}

/** What is behind this line in a configuration is ours. */
const BEGIN = '# of git-jci\n'

/** As a value of git's configuration. */
const quoted = (text: string) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`

/**
 * Does something with the origin of a job's repository on the runner's side. The job's address may be one for containers alone,
 * and their bridge not be there yet; so the server is asked first, which has a door too. Throws what the last of them said.
 */
export async function withOrigin<T>(
  directory: string,
  { clone_url }: Assigned,
  server: string,
  act: () => Promise<T>,
): Promise<T> {
  const { pathname, username, password } = new URL(clone_url)
  const door = Object.assign(new URL(pathname, server), { username, password })
  if (door.href !== clone_url) {
    setOrigin(directory, door.href)
    try {
      return await act()
    } catch {
      // It may have no door.
    }
  }
  setOrigin(directory, clone_url)
  return act()
}
