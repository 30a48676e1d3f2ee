// The nearest tags of commits. Git takes long to start and little for one commit more, so those that will be asked about next are
// asked about together.

import { GitError, runGit, sentence } from './process.ts'
import type { Start } from './process.ts'

/** So many commits are asked about at once. */
const TOGETHER = 32

/** A tag, as `TAG` or `TAG-N-gID`, in the bytes it has; undefined if there is none. */
type Name = Buffer | undefined

export class Describer {
  readonly #start: Start
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
    this.#expected = revisions.filter(revision => /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(revision))
    this.#asked.clear()
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
    const commits = revisions.map(revision => `${revision}^{commit}`)
    const end = await runGit(this.#start, ['describe', '--tags', '--long', '--end-of-options', ...commits])
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
}

const nameOf = (line: string): Buffer => Buffer.from(line.replace(/-0-g[0-9a-f]+$/, ''), 'latin1')
