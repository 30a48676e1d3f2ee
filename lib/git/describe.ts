// The nearest tags of commits. Git takes long to start and little for one commit more, so what is asked in one turn of the
// event loop is asked of one process.

import { GitError, runGit, sentence } from './process.ts'
import type { Start } from './process.ts'

interface Question {
  readonly revision: string
  readonly resolve: (answer: Buffer | undefined) => void
  readonly reject: (error: unknown) => void
}

export class Describer {
  readonly #start: Start
  #questions: Question[] = []

  constructor(start: Start) {
    this.#start = start
  }

  /** The nearest tag of a commit, as `TAG` or `TAG-N-gID`, in the bytes it has; undefined if there is none. */
  describe(revision: string): Promise<Buffer | undefined> {
    return new Promise((resolve, reject) => {
      const asked = this.#questions.push({ revision, resolve, reject })
      if (asked === 1) setImmediate(() => void this.#ask(this.#questions.splice(0)))
    })
  }

  async #ask(questions: readonly Question[]): Promise<void> {
    try {
      const names = questions.map(({ revision }) => `${revision}^{commit}`)
      const args = ['describe', '--tags', '--long', '--end-of-options', ...names]
      const end = await runGit(this.#start, args)
      const lines = end.stdout.toString('latin1').split('\n')
      if (end.code === 0) {
        questions.forEach(({ resolve }, i) =>
          resolve(Buffer.from(lines[i]!.replace(/-0-g[0-9a-f]+$/, ''), 'latin1')),
        )
      } else if (/^fatal: No names /m.test(end.stderr))
        for (const { resolve } of questions) resolve(undefined)
      // Git gives up at the first that it cannot describe.
      else if (questions.length > 1) for (const question of questions) void this.#ask([question])
      else if (/^fatal: No tags /m.test(end.stderr)) questions[0]!.resolve(undefined)
      else {
        const isUnknown = /^fatal: Not a valid object name /m.test(end.stderr)
        throw new GitError(isUnknown ? 'no such commit' : sentence(end))
      }
    } catch (error) {
      for (const { reject } of questions) reject(error)
    }
  }
}
