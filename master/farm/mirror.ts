// The farmer's own bare copy of a repository: what a change touches and what its Testfiles say is asked
// here, which works with every forge, and is right where a forge lists fewer files than there are.

import { existsSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'

import { quote, temporary } from '../../lib/base/exit.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { environmentAt, GitError, gitEnvironment, runGit, sentence } from '../../lib/git/process.ts'
import { Repository } from '../../lib/git/repository.ts'

/** How long git may talk to a forge, in milliseconds. */
const FETCH = 10 * 60_000

/** A mirror while something is looked at in it; one process of git answers whatever is asked of its objects, until `close`. */
export class FarmMirror {
  readonly path: string
  readonly code: Repository
  readonly #url: string
  readonly #stop: AbortSignal
  #fetched = false

  /** What git does ends when `stop` says so. */
  constructor(path: string, url: string, stop: AbortSignal) {
    this.path = path
    this.#stop = stop
    this.code = new Repository(path)
    this.#url = url
  }

  /** Ends that process, and has git pack what was fetched, if it is much: so nobody waits for that. */
  async close(): Promise<void> {
    this.code.close()
    if (this.#fetched) await this.#try(['maintenance', 'run', '--auto', '--quiet'])
  }

  /** Runs git and returns its output as latin1, so that no byte of a path is lost. Its own sentence is the error. */
  async #git(args: readonly string[], timeout = 60_000, access: NodeJS.ProcessEnv = {}): Promise<string> {
    const env = { ...environmentAt(this.path), GIT_TERMINAL_PROMPT: '0', ...access }
    const start = {
      place: this.path,
      env,
      signal: AbortSignal.any([this.#stop, AbortSignal.timeout(timeout)]),
    }
    const end = await runGit(start, args)
    if (end.code !== 0) throw new GitError(sentence(end))
    return end.stdout.toString('latin1')
  }

  async #try(args: readonly string[]): Promise<string | undefined> {
    return this.#git(args).catch(() => undefined)
  }

  async #make(): Promise<void> {
    if (existsSync(`${this.path}/HEAD`)) return
    makeDirectories(dirname(this.path))
    const start = { place: undefined, env: gitEnvironment() }
    const end = await runGit(start, ['init', '-q', '--bare', this.path])
    if (end.code === 0) return
    rmSync(this.path, { recursive: true, force: true })
    throw temporary(`make ${quote(this.path)}`, sentence(end))
  }

  async has(revision: string): Promise<boolean> {
    return (await this.code.commit(revision)) !== undefined
  }

  /**
   * Fetches what is missing of these commits: by the ref that leads to them, else by their ids. Fails if the server is
   * away; a commit that it does not have, as after a force push, is not there afterwards. `access` is what git needs in its environment.
   */
  async fetch(
    ref: string,
    revision: string,
    others: readonly (string | undefined)[],
    access: NodeJS.ProcessEnv,
  ): Promise<void> {
    await this.#make()
    const wanted = [revision, ...others.filter(other => other !== undefined)]
    const missing = []
    for (const id of wanted) if (!/^[0-9a-f]{40,64}$/.test(id) || !(await this.has(id))) missing.push(id)
    if (missing.length === 0) return
    this.#fetched = true
    const options = ['-q', '--no-tags', '--force', '--no-write-fetch-head', '--no-auto-maintenance']
    const fetch = (spec: string) => this.#git(['fetch', ...options, '--', this.#url, spec], FETCH, access)
    try {
      await fetch(`+${ref}:${ref}`)
    } catch (error) {
      // The ref may be gone. If the server is away, so is the list of its refs.
      await this.#git(['ls-remote', '--', this.#url, 'HEAD'], FETCH, access).catch(() => {
        throw temporary('fetch from the forge', error)
      })
    }
    for (const id of missing) {
      if (id.startsWith('refs/')) await fetch(`+${id}:${id}`).catch(() => undefined)
      else if (!(await this.has(id))) await fetch(id).catch(() => undefined)
    }
  }

  /** The branch that the server's HEAD leads to; undefined if it leads to none. Fails if the server is away. */
  async defaultBranch(access: NodeJS.ProcessEnv): Promise<string | undefined> {
    await this.#make()
    const said = await this.#git(['ls-remote', '--symref', '--', this.#url, 'HEAD'], FETCH, access)
    return /^ref: (refs\/heads\/\S+)\tHEAD$/m.exec(said)?.[1]
  }

  /** The best common ancestor; undefined if there is none. */
  async mergeBase(a: string, b: string): Promise<string | undefined> {
    return (await this.#try(['merge-base', '--', a, b]))?.trim() || undefined
  }

  /** The first parent of a commit; undefined if it has none. */
  async parent(revision: string): Promise<string | undefined> {
    return (await this.#try(['rev-parse', '--verify', '-q', `${revision}^1`]))?.trim() || undefined
  }
}
