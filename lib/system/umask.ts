// A program makes files for the group of its spool, but starts what users wrote with the umask that they gave it.

/** This module is loaded before anything changes it. It cannot be read without being set. */
const AT_START = process.umask(0o077)
process.umask(AT_START)

let ours = AT_START

/** The umask of this process. */
export const currentUmask = (): number => ours

/** From now on this program makes files with this umask. */
export function setUmask(umask: number): void {
  process.umask(umask)
  ours = umask
}

/** From now on what this program makes is its group's as well. */
export const shareWithGroup = (): void => setUmask(ours & ~0o070)

/** The umask with which this program was started, as a shell or Perl reads it. */
export const umaskAtStart = (): string => AT_START.toString(8)

/**
 * Calls `start`, which starts a process that has the umask with which this one was started. What a thread makes in that moment gets
 * it too: a program that can set it by itself is better told `umaskAtStart`.
 */
export function withUmaskAtStart<T>(start: () => T): T {
  if (ours === AT_START) return start()
  process.umask(AT_START)
  try {
    return start()
  } finally {
    process.umask(ours)
  }
}
