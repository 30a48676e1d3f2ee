// When a program that runs for long ends where it can be spared, with 0, so that whatever keeps it running starts it anew: from
// another tree, or, after HUP, with the settings that there are then.

import { say } from './log.ts'
import { isReplaced } from './tree.ts'

const asked = new AbortController()
let listens = false

/** Aborted by HUP, for which it listens from the first call on. */
export function onHup(): AbortSignal {
  if (!listens) {
    listens = true
    process.on('SIGHUP', () => {
      if (!asked.signal.aborted) say('info', 'ending where this can be spared, for a new start (HUP)')
      asked.abort()
    })
  }
  return asked.signal
}

/** True once this program is to end; to be asked between two pieces of work. */
export const isToEnd = (): boolean => asked.signal.aborted || isReplaced()
