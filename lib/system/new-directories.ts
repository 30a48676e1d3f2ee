// Directories that appear in a tree while chokidar watches it. Chokidar reads a directory before it watches it, so nobody
// would be woken by what comes between the two; here they are watched first and read then.

import { lstatSync, watch } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { join } from 'node:path'

import { ignoringENOENT } from '../base/errno.ts'
import { entriesIfThere } from './listing.ts'

export class NewDirectories {
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #ring: () => void
  readonly #giveUp: (why: unknown) => void

  /** `ring` is called at every change in them, and `giveUp` with the reason why one cannot be watched. */
  constructor(ring: () => void, giveUp: (why: unknown) => void) {
    this.#ring = ring
    this.#giveUp = giveUp
  }

  /** Watches what has appeared, or changed, at a path: if it is a directory now, that and those in it. */
  heed(path: string): void {
    this.forget(path)
    try {
      if (!lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return
      ignoringENOENT(() => this.#watch(path))
      for (const inside of directoriesIn(path)) this.heed(inside)
      this.#ring()
    } catch (error) {
      this.#giveUp(error)
    }
  }

  /** Heeds the directories below one that are not among those that chokidar knows. */
  heedUnknown(directory: string, known: Readonly<Record<string, unknown>>): void {
    try {
      for (const path of directoriesIn(directory)) {
        if (known[path] === undefined) this.heed(path)
        else this.heedUnknown(path, known)
      }
    } catch (error) {
      this.#giveUp(error)
    }
  }

  /** For a path where there is nothing any more. */
  forget(path: string): void {
    this.#watchers.get(path)?.close()
    this.#watchers.delete(path)
  }

  close(): void {
    for (const path of [...this.#watchers.keys()]) this.forget(path)
  }

  #watch(directory: string): void {
    const watcher = watch(directory, (_, name) => {
      this.#ring()
      if (name !== null) this.heed(join(directory, name))
    })
    this.#watchers.set(directory, watcher.on('error', this.#giveUp))
  }
}

const directoriesIn = (directory: string): string[] =>
  entriesIfThere(directory)
    .filter(entry => entry.isDirectory())
    .map(({ name }) => join(directory, name))
