// Directories that appear in a tree while chokidar watches it. Chokidar reads a directory before it watches it, so nobody
// would be woken by what comes between the two; and one that is removed and made again before it looks is the old one to it.
// Here the kernel's word counts, and directories are watched first and read then.

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

  /** Takes what the kernel says of a watched directory: the event, and the name in it. */
  hear(event: string, directory: string, name: string | null): void {
    this.#ring()
    // Everything else happens to what was there and stays there.
    if (event === 'rename' && name !== null) this.#heed(join(directory, name))
  }

  /** Heeds the directories below one that are not among those that chokidar knows. */
  heedUnknown(directory: string, known: Readonly<Record<string, unknown>>): void {
    try {
      for (const path of directoriesIn(directory)) {
        if (known[path] === undefined) this.#heed(path)
        else this.heedUnknown(path, known)
      }
    } catch (error) {
      this.#giveUp(error)
    }
  }

  close(): void {
    for (const path of [...this.#watchers.keys()]) this.#forget(path)
  }

  /** Watches what is at a path now: if it is a directory, that and those in it. */
  #heed(path: string): void {
    this.#forget(path)
    try {
      if (!lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return
      ignoringENOENT(() => this.#watch(path))
      for (const inside of directoriesIn(path)) this.#heed(inside)
      this.#ring()
    } catch (error) {
      this.#giveUp(error)
    }
  }

  #forget(path: string): void {
    this.#watchers.get(path)?.close()
    this.#watchers.delete(path)
  }

  #watch(directory: string): void {
    const watcher = watch(directory, (event, name) => this.hear(event, directory, name))
    this.#watchers.set(directory, watcher.on('error', this.#giveUp))
  }
}

const directoriesIn = (directory: string): string[] =>
  entriesIfThere(directory)
    .filter(entry => entry.isDirectory())
    .map(({ name }) => join(directory, name))
