// Commits and trees that were looked up lately. What has an id never changes, and of one commit to the next most trees stay the
// same; to ask git for one takes several system calls on both sides.

import type { GitObject } from './objects.ts'

/** Bytes that are kept at most, and of one object. */
const BYTES_MAX = 2 * 1024 * 1024
const OBJECT_MAX = 128 * 1024
/** What an answer takes beside its object, in bytes, roughly. */
const ANSWER_BYTES = 500

/** A question about an object by its whole id, about its first parent, or about a path in one. */
const LASTING = /^([0-9a-f]{40}|[0-9a-f]{64})(\^?\^\{\w+\}|:.*)?$/s

type Answer = Promise<GitObject | undefined>

export class Recent {
  readonly #answers = new Map<string, Answer>()
  #bytes = 0

  /** The answer to a question, which `ask` puts to git unless it was answered before, or is about to be. */
  look(name: string, keep: number, ask: () => Answer): Answer {
    if (!LASTING.test(name)) return ask()
    const key = `${keep} ${name}`
    const known = this.#answers.get(key)
    if (known) return known
    const answer = ask()
    this.#answers.set(key, answer)
    this.#count(key, answer).catch(() => this.#answers.delete(key))
    return answer
  }

  /** Keeps what git has found; what is missing may come, and a failure pass. */
  async #count(key: string, answer: Answer): Promise<void> {
    const object = await answer
    const isKept =
      object !== undefined && /^(commit|tree)$/.test(object.type) && object.body.length <= OBJECT_MAX
    if (!isKept) {
      this.#answers.delete(key)
      return
    }
    this.#bytes += ANSWER_BYTES + object.body.length
    if (this.#bytes > BYTES_MAX) this.forget()
  }

  forget(): void {
    this.#answers.clear()
    this.#bytes = 0
  }
}
