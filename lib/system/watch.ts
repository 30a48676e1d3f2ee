// When to look at directories again. A wake-up decides nothing: it means "list again". On a local file system chokidar
// wakes us at once and a slow poll is the safety net; on a network file system no event of another host ever arrives,
// so a poll of listings is all there is.

import { watch as watchPlainly } from 'node:fs'

import { isLocal } from './local.ts'
import { warnOnce } from './log.ts'
import { choice, duration } from '../base/settings.ts'
import { trace } from './trace.ts'

export interface Watch {
  /** Resolves when something may have changed, when the poll is due, or when `ring` was called; at most one at a time. */
  next(): Promise<void>
  /** Wakes whoever waits, or the next one who would. */
  ring(): void
  close(): Promise<void>
}

/** How often to look where file events arrive, in milliseconds: POLL_INTERVAL, but not more often than each 30 s. */
const SAFETY_NET = 30_000

/**
 * Watches directories, and what is `depth` levels below. `WATCH` says how: `events`, `poll`, or `auto` by the file
 * system. The poll is each POLL_INTERVAL, or each 30 s where events arrive.
 */
export async function watch(directories: readonly string[], depth = 0): Promise<Watch> {
  const how = choice('WATCH', ['auto', 'events', 'poll'])
  const events = how === 'events' || (how === 'auto' && directories.every(isLocal))
  const interval = events ? Math.max(SAFETY_NET, duration('POLL_INTERVAL')) : duration('POLL_INTERVAL')

  let rung = false
  let wake: (() => void) | undefined
  const ring = () => {
    if (!rung) trace('woken', directories.join(' '))
    rung = true
    wake?.()
  }
  const next = async () => {
    if (!rung) {
      await new Promise<void>(done => {
        const timer = setTimeout(done, interval)
        wake = () => {
          clearTimeout(timer)
          done()
        }
      })
      wake = undefined
    }
    rung = false
  }
  if (!events) return { next, ring, close: () => Promise.resolve() }
  const stop = depth === 0 ? watchFlat(directories, ring) : await watchDeep(directories, depth, ring)
  return { next, ring, close: stop }
}

/**
 * Where only the listing counts, the kernel's word is enough: chokidar would look at each of 100,000 names at every
 * change. What goes wrong (watches run out, a directory is removed under us) is left to the poll.
 */
function watchFlat(directories: readonly string[], ring: () => void): () => Promise<void> {
  const watchers = directories.flatMap(directory => {
    try {
      return [watchPlainly(directory, ring).on('error', ring)]
    } catch (error) {
      warnOnce('watch', directory, error)
      return []
    }
  })
  return () => {
    for (const watcher of watchers) watcher.close()
    return Promise.resolve()
  }
}

async function watchDeep(
  directories: readonly string[],
  depth: number,
  ring: () => void,
): Promise<() => Promise<void>> {
  const { watch: open } = await import('chokidar')
  const watcher = open([...directories], {
    depth,
    ignoreInitial: true,
    atomic: false,
    followSymlinks: false,
    // The kernel tells of a directory what happens to the files in it: only directories are watched.
    ignored: (_, stats) => stats?.isDirectory() === false,
  })
  // `raw` is what the kernel says, at once; `all` what chokidar makes of it, directories it has come to know included.
  watcher.on('raw', ring)
  watcher.on('all', ring)
  watcher.on('error', ring)
  await new Promise<void>(done => watcher.once('ready', done))
  return () => watcher.close()
}
