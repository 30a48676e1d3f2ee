// The nearest tags of commits. Git takes long to start and little for one commit more, so those that will be asked about next are
// asked about together.

import { isCommitId } from './commit-id.ts'
import { GitError, parkGit, runGit, sentence } from './process.ts'
import type { Parked, Printed, Start } from './process.ts'

/** So many commits are asked about at once. */
const TOGETHER = 32

const DESCRIBE = ['describe', '--tags', '--long', '--end-of-options']

/** A tag, as `TAG` or `TAG-N-gID`, in the bytes it has; undefined if there is none. */
type Name = Buffer | undefined

export class Describer {
  readonly #start: Start
  /** The process that answers the next question. */
  #parked: Parked | undefined
  #expected: string[] = []
  /** Those asked about together: each has the names of all of them, or nothing if git failed for one. */
  readonly #asked = new Map<string, Promise<Map<string, Name> | undefined>>()

  constructor(start: Start) {
    this.#start = start
  }

  /**
   * Says which commits will be asked about next; only whole ids count. What was known is forgotten: tags come and go.
   */
  expect(revisions: readonly string[]): void {
    this.#expected = revisions.filter(isCommitId)
    this.#asked.clear()
  }

  /** Has a process ready for the next question. */
  rest(): void {
    this.#parked ??= parkGit(this.#start, DESCRIBE)
  }

  close(): void {
    this.#parked?.close()
    this.#parked = undefined
  }

  async describe(revision: string): Promise<Name> {
    const names = (await this.#together(revision)) ?? (await this.#ask([revision]))
    return names.get(revision)
  }

  /** Asks about an expected commit and those that come after it. Git gives up at the first that it cannot describe. */
  #together(revision: string): Promise<Map<string, Name> | undefined> | undefined {
    const at = this.#expected.indexOf(revision)
    const next = at < 0 ? [] : this.#expected.splice(at, TOGETHER)
    if (next.length > 1) {
      const names = this.#ask(next).catch(() => undefined)
      for (const one of next) this.#asked.set(one, names)
    }
    return this.#asked.get(revision)
  }

  async #ask(revisions: readonly string[]): Promise<Map<string, Name>> {
    const end = await this.#run(revisions)
    if (end.code === 0) {
      const lines = end.stdout.toString('latin1').split('\n')
      return new Map(revisions.map((revision, i) => [revision, nameOf(lines[i]!)]))
    }
    const alone = revisions.length === 1
    if (/^fatal: No names /m.test(end.stderr) || (alone && /^fatal: No tags /m.test(end.stderr)))
      return new Map(revisions.map(revision => [revision, undefined]))
    const isUnknown = /^fatal: Not a valid object name /m.test(end.stderr)
    throw new GitError(isUnknown ? 'no such commit' : sentence(end))
  }

  async #run(revisions: readonly string[]): Promise<Printed> {
    const commits = revisions.map(revision => `${revision}^{commit}`)
    const parked = revisions.every(isCommitId) ? this.#parked : undefined
    if (parked) this.#parked = undefined
    const end = await parked?.run(commits).catch(() => undefined)
    // One that was killed meanwhile, could never be made, or could not become git, says nothing of the commits.
    return end === undefined || end.code === null || end.code === 126 || end.code === 127
      ? runGit(this.#start, [...DESCRIBE, ...commits])
      : end
  }
}

const nameOf = (line: string): Buffer => Buffer.from(line.replace(/-0-g[0-9a-f]+$/, ''), 'latin1')
