// What was just pushed, some milliseconds before its events are there: the hook writes it down before it asks git which
// commits are new. To be made ready meanwhile; nothing else follows from it, and nothing is missing where it is not seen.
//
// Git has the branch a moment earlier, but maybe not yet the tags that were pushed with it, and they make versions.

import { existsSync, readFileSync, watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { join } from 'node:path'

import { isLocal } from '../../lib/system/local.ts'

/** Where the hook writes, in the repository that is pushed to: a file for each push, with a line for each ref. */
const PUSHES = 'bass-pending'

/** `OLD NEW REF`, where NEW is a commit. */
const UPDATE = /^[0-9a-f]{40,64} (?!0+ )([0-9a-f]{40,64}) (refs\/.+)\n/gm

export class Foresight {
  readonly #pushes: string
  readonly #revs: string
  readonly #onTip: (revision: string) => void
  #watcher: FSWatcher | undefined
  /** The file of the last push that was told of: its hook goes on writing to it. */
  #told: string | undefined

  /**
   * `onTip` is told of one commit that is pushed after each `open`: that of the first ref that had events in `revs` before, for it
   * will have one more.
   */
  constructor(repository: string, revs: string, onTip: (revision: string) => void) {
    this.#pushes = join(repository, PUSHES)
    this.#revs = revs
    this.#onTip = onTip
  }

  /** Looks out for the next push, where the hook of the repository that is there now writes. */
  open(): void {
    this.close()
    if (!isLocal(this.#pushes)) return
    try {
      this.#watcher = watch(this.#pushes, { persistent: false }, (_, name) => this.#look(name ?? ''))
      this.#watcher.on('error', () => this.close())
    } catch {
      // Events come all the same.
    }
  }

  close(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }

  #look(name: string): void {
    if (name === this.#told) return
    const revision = this.#tipIn(name)
    if (revision === undefined) return
    this.#told = name
    // Nothing more is to be seen before the event is, and each look costs a turn of the event loop.
    this.close()
    this.#onTip(revision)
  }

  /** The commit that the file of a push gives to the first ref with events before. */
  #tipIn(name: string): string | undefined {
    try {
      const text = readFileSync(join(this.#pushes, name), 'utf8')
      return [...text.matchAll(UPDATE)].find(([, , ref]) => existsSync(join(this.#revs, ref!)))?.[1]
    } catch {
      // It is gone, for its events are there.
      return undefined
    }
  }
}
