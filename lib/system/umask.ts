// A program makes files for the group of its spool, but starts what users wrote with the umask that they gave it.

/** The umask of this process. It cannot be read without being set. */
export function currentUmask(): number {
  const umask = process.umask(0o077)
  process.umask(umask)
  return umask
}

/** This module is loaded before anything changes it. */
const AT_START = currentUmask()

/** From now on what this program makes is its group's as well. */
export function shareWithGroup(): void {
  process.umask(currentUmask() & ~0o070)
}

/** Calls `start`, which starts a process that has the umask with which this one was started. */
export function withUmaskAtStart<T>(start: () => T): T {
  const ours = process.umask(AT_START)
  try {
    return start()
  } finally {
    process.umask(ours)
  }
}
