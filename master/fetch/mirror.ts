// The mirror: a bare repository with what the forge has, under the names that it has there. Nothing but this fetches into it.

import { existsSync } from 'node:fs'
import { join } from 'node:path'

import { lasting, temporary, quote } from '../../lib/base/exit.ts'
import type { Forge } from '../../lib/forge/forge.ts'
import { gitAccess } from '../../lib/forge/open.ts'
import { environmentAt, runGit, sentence } from '../../lib/git/process.ts'
import type { Ended } from '../../lib/git/process.ts'
import { isRefusal } from '../../lib/git/refusal.ts'
import { Repository } from '../../lib/git/repository.ts'
import { changedPaths } from '../../lib/git/walk.ts'
import { makeDirectory } from '../../lib/spool/spool.ts'

/** A fetch that moves less than this many bytes a second for so many seconds is given up. */
const SLOW = { limit: '1000', seconds: '60' }

/** The refs to look for on the forge. */
const WANTED = ['refs/heads/*', 'refs/tags/*', 'refs/pull/*/head', 'refs/merge-requests/*/head']

export class Mirror {
  readonly path: string
  readonly #forge: Forge
  readonly #settings: NodeJS.ProcessEnv
  readonly #signal: AbortSignal

  /** `settings` are those of the project. An aborted `signal` kills what runs. */
  constructor(path: string, forge: Forge, settings: NodeJS.ProcessEnv, signal: AbortSignal) {
    this.path = path
    this.#forge = forge
    this.#signal = signal
    this.#settings = settings
  }

  /** Makes the repository if it is not there. */
  async open(): Promise<void> {
    if (existsSync(join(this.path, 'HEAD'))) return
    makeDirectory(this.path)
    await this.#must(['init', '--quiet', '--bare', '.'])
    // An event may be made of what was fetched only when that is on the disk.
    await this.#must(['config', 'core.fsync', 'committed,loose-object,reference'])
  }

  /**
   * Brings refs to what they are on the forge, and answers those that are not there: their names are removed here. Throws Fatal
   * while the forge is away or refuses.
   */
  async fetch(refs: readonly string[]): Promise<Set<string>> {
    const missing = new Set<string>()
    for (;;) {
      const wanted = refs.filter(ref => !missing.has(ref))
      if (wanted.length === 0) break
      const specs = wanted.map(ref => `+${ref}:${ref}`)
      const args = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--force', this.#forge.cloneUrl]
      const end = await this.#reach([...args, ...specs])
      if (end.code === 0) break
      if (await this.#makeRoom(end.stderr)) continue
      const gone = /^fatal: couldn't find remote ref (.*)$/m.exec(end.stderr)?.[1]
      if (gone === undefined || !wanted.includes(gone)) throw this.#failed('fetch from', end)
      missing.add(gone)
    }
    for (const ref of missing) await this.#run(['update-ref', '-d', ref])
    return missing
  }

  /**
   * Removes a branch that is in the way of another, as `a` is of `a/b`, if git says so, and answers whether it did: what is on the
   * forge can be there only where the other is not any more.
   */
  async #makeRoom(stderr: string): Promise<boolean> {
    const old = /: '(refs\/[^']+)' exists; cannot create '/.exec(stderr)?.[1]
    if (old === undefined || (await this.tip(old)) === undefined) return false
    await this.#must(['update-ref', '-d', old])
    return true
  }

  /** The refs on the forge and what they point to, and its default branch. Throws Fatal while it is away or refuses. */
  async look(): Promise<{ readonly refs: Map<string, string>; readonly head: string | undefined }> {
    const args = ['ls-remote', '--quiet', '--symref', this.#forge.cloneUrl, 'HEAD', ...WANTED]
    const end = await this.#reach(args)
    if (end.code !== 0) throw this.#failed('look at', end)
    const refs = new Map<string, string>()
    let head: string | undefined
    for (const line of end.stdout.toString().split('\n')) {
      const [what, ref] = line.split('\t')
      if (ref === undefined) continue
      if (ref === 'HEAD') head = /^ref: (refs\/heads\/.*)$/.exec(what!)?.[1] ?? head
      else if (/^[0-9a-f]{40,64}$/.test(what!) && !ref.endsWith('^{}')) refs.set(ref, what!)
    }
    return { refs, head }
  }

  /** All branches and tags at once, for a mirror that is new; `head` becomes its default branch. */
  async fetchAll(head: string | undefined): Promise<void> {
    const args = ['fetch', '--quiet', '--no-write-fetch-head', '--force', this.#forge.cloneUrl]
    const specs = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*']
    let end = await this.#reach([...args, ...specs])
    while (end.code !== 0 && (await this.#makeRoom(end.stderr))) end = await this.#reach([...args, ...specs])
    if (end.code !== 0) throw this.#failed('fetch from', end)
    if (head !== undefined) await this.#must(['symbolic-ref', 'HEAD', head])
  }

  /** The commit that a ref or revision names here, through tags; undefined if there is none. Throws Fatal if git cannot tell. */
  commit(revision: string): Promise<string | undefined> {
    return this.#ask(['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`])
  }

  /** The object that a ref points to here; it may be a tag. */
  tip(ref: string): Promise<string | undefined> {
    return this.#ask(['rev-parse', '--verify', '--quiet', '--end-of-options', ref])
  }

  /** The numbers of the changes whose heads, as they are here, are one of these commits. */
  async changesAt(commits: readonly string[]): Promise<number[]> {
    const format = '--format=%(objectname) %(refname)'
    const refs = await this.#must(['for-each-ref', format, 'refs/pull/*/head', 'refs/merge-requests/*/head'])
    return refs.split('\n').flatMap(line => {
      const [commit = '', ref = ''] = line.split(' ')
      return commits.includes(commit) ? Number(ref.split('/')[2]) : []
    })
  }

  defaultBranch(): Promise<string | undefined> {
    return this.#ask(['symbolic-ref', '--quiet', 'HEAD'])
  }

  /** Undefined also where one of them is not here, of which git says no more than that it failed. */
  async mergeBase(a: string, b: string): Promise<string | undefined> {
    const [of, and] = [await this.commit(a), await this.commit(b)]
    return of && and && this.#ask(['merge-base', '--end-of-options', of, and])
  }

  /** The paths that differ between two commits, as latin1. */
  async changedPaths(from: string, to: string): Promise<string[]> {
    const code = new Repository(this.path, this.#signal)
    try {
      return await changedPaths(code, from, to)
    } catch (error) {
      throw temporary(`use the mirror ${quote(this.path)}`, error)
    } finally {
      code.close()
    }
  }

  /** A question that git answers with no by exit code 1. */
  async #ask(args: readonly string[]): Promise<string | undefined> {
    const end = await this.#run(args)
    if (end.code === 0) return end.stdout.toString().trim()
    if (end.code === 1) return undefined
    throw this.#unusable(end)
  }

  async #must(args: readonly string[]): Promise<string> {
    const end = await this.#run(args)
    if (end.code !== 0) throw this.#unusable(end)
    return end.stdout.toString()
  }

  #unusable(end: Ended) {
    return temporary(`use the mirror ${quote(this.path)}`, sentence(end))
  }

  #failed(verb: string, end: Ended) {
    const what = `${verb} ${quote(this.#forge.cloneUrl)}`
    return isRefusal(end.stderr) ? lasting(what, sentence(end)) : temporary(what, sentence(end))
  }

  /** Runs git here. */
  #run(args: readonly string[], more: NodeJS.ProcessEnv = {}) {
    const env = { ...environmentAt(this.path), ...QUIETLY, ...more }
    return runGit({ place: this.path, env, signal: this.#signal }, args)
  }

  /** The same, of a git that speaks with the forge. */
  async #reach(args: readonly string[]) {
    return this.#run(args, await gitAccess(this.#forge, this.#settings))
  }
}

/** Git asks nobody for anything, and gives up what hangs. */
const QUIETLY: NodeJS.ProcessEnv = {
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: 'true',
  GIT_SSH_COMMAND:
    process.env['GIT_SSH_COMMAND'] ?? 'ssh -o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=20',
  GIT_HTTP_LOW_SPEED_LIMIT: SLOW.limit,
  GIT_HTTP_LOW_SPEED_TIME: SLOW.seconds,
}
