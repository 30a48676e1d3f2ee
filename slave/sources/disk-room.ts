// Whether there is room for another job: a disk that is full takes nothing new, and says so once.

import { statfsSync } from 'node:fs'

import { quote } from '../../lib/base/exit.ts'
import { say } from '../../lib/system/log.ts'
import { size } from '../../lib/base/settings.ts'

/** A watcher of free space: true while each directory's file system has at least DISK_MIN bytes left for us. */
export function roomIn(directories: readonly string[]): () => boolean {
  const least = size('DISK_MIN')
  let full: string | undefined
  return () => {
    const before = full
    full = directories.find(directory => {
      const { bavail, bsize } = statfsSync(directory)
      return bavail * bsize < least
    })
    if (full !== undefined && before === undefined) {
      say('warning', `unable to take tasks: less than DISK_MIN is left in ${quote(full)}; waiting for room`)
    } else if (full === undefined && before !== undefined) say('info', 'there is room again')
    return full === undefined
  }
}
