// When to look at directories again. A wake-up decides nothing: it means "list again". On a local file system chokidar
// wakes us at once and a slow poll is the safety net; on a network file system no event of another host ever arrives,
// so a poll of listings is all there is.

import { realpathSync, watch as watchPlainly } from 'node:fs'

import { Bell } from './bell.ts'
import { isLocal } from './local.ts'
import { warnOnce } from './log.ts'
import { NewDirectories } from './new-directories.ts'
import { ignoringENOENT, reasonOf } from '../base/errno.ts'
import { choice, pollInterval } from '../base/settings.ts'
import type { Environment } from '../base/settings.ts'
import { trace } from './trace.ts'

export interface Watch {
  /** Resolves when something may have changed, when the poll is due, or when `ring` was called; at most one at a time. */
  next(): Promise<void>
  /** Wakes the waiter, or else the next one at once. */
  ring(): void
  close(): Promise<void>
}

/** How often to look where file events arrive, in milliseconds: POLL_INTERVAL, but not more often than each 30 s. */
const SAFETY_NET = 30_000

/** How many times POLL_INTERVAL it may take to come to know all directories. */
const READY_INTERVALS = 10

export interface WatchSettings {
  readonly how: 'auto' | 'events' | 'poll'
  /** In milliseconds. */
  readonly poll: number
}

export const readWatchSettings = (env?: Environment): WatchSettings => ({
  how: choice('WATCH', ['auto', 'events', 'poll'], env),
  poll: pollInterval(env),
})

/**
 * Watches directories, and if `deep` those below as well. `WATCH` says how: `events`, `poll`, or `auto` by the file
 * system. The poll is each POLL_INTERVAL, or each 30 s where events arrive. Where they do not after all, because the
 * kernel has no watch left or a directory cannot be read, it says so once and polls each POLL_INTERVAL.
 */
export async function watch(
  directories: readonly string[],
  { how, poll }: WatchSettings = readWatchSettings(),
  deep = false,
): Promise<Watch> {
  const events = how === 'events' || (how === 'auto' && directories.every(isLocal))
  let interval = events ? Math.max(SAFETY_NET, poll) : poll

  const bell = new Bell()
  const ring = () => {
    if (bell.ring()) trace('woken', directories.join(' '))
  }
  const next = () => bell.next(interval)
  const giveUp = (why: unknown) => {
    if (interval !== poll) warnOnce('watch', directories[0]!, `${reasonOf(why)}; looking each POLL_INTERVAL`)
    interval = poll
    ring()
  }
  if (!events) return { next, ring, close: () => Promise.resolve() }
  const stop = deep
    ? await watchDeep(directories, poll * READY_INTERVALS, ring, giveUp)
    : watchFlat(directories, ring, giveUp)
  return { next, ring, close: stop }
}

/**
 * Where only the listing counts, the kernel's word is enough: chokidar would look at each of 100,000 names at every
 * change.
 */
function watchFlat(
  directories: readonly string[],
  ring: () => void,
  giveUp: (why: unknown) => void,
): () => Promise<void> {
  const watchers = directories.flatMap(directory => {
    try {
      return [watchPlainly(directory, ring).on('error', giveUp)]
    } catch (error) {
      giveUp(error)
      return []
    }
  })
  return () => {
    for (const watcher of watchers) watcher.close()
    return Promise.resolve()
  }
}

/**
 * Returns before all directories are known, for a directory that cannot be read keeps chokidar from ever saying that they
 * are; rings when they are, for what came before they were watched.
 */
async function watchDeep(
  directories: readonly string[],
  patience: number,
  ring: () => void,
  giveUp: (why: unknown) => void,
): Promise<() => Promise<void>> {
  const { watch: open } = await import('chokidar')
  // Links below are not followed; the directories themselves may be some.
  const roots = directories.map(directory => ignoringENOENT(() => realpathSync(directory)) ?? directory)
  const watcher = open(roots, {
    ignoreInitial: true,
    atomic: false,
    followSymlinks: false,
    // Watching a directory reports changes of its files too, so only directories are watched.
    ignored: (_, stats) => stats?.isDirectory() === false,
  })
  const timer = setTimeout(giveUp, patience, 'not all directories can be read').unref()
  const appeared = new NewDirectories(ring, giveUp)
  // What the kernel says, at once; what chokidar makes of it comes later, and may be another thing.
  watcher.on('raw', (event, name: string | null, where) =>
    appeared.hear(event, (where as { readonly watchedPath: string }).watchedPath, name),
  )
  watcher.on('error', giveUp)
  watcher.once('ready', () => {
    clearTimeout(timer)
    for (const root of roots) appeared.heedUnknown(root, watcher.getWatched())
    ring()
  })
  return () => {
    clearTimeout(timer)
    appeared.close()
    return watcher.close()
  }
}
