// Has a supervisor follow the settings of a spool while its programs run.

import { reasonOf } from '../../lib/base/errno.ts'
import { programsOf, stateOfPrograms } from './programs.ts'
import type { Programs } from './programs.ts'
import type { Supervisor } from './supervisor.ts'

/** How often the settings files are read, in milliseconds. What is being written is let be until it is the same twice. */
const CONF_LOOK_MS = 1000

/** After how long settings that could not be read are read again though no file has changed, in milliseconds. */
const CONF_AGAIN_MS = 30_000

/**
 * `state` is what the settings were when the programs were chosen that run; `say` is told where they cannot be read. That is tried
 * again after `pause` milliseconds: what kept them from being read may be another file, which they read in turn, or no file at all.
 */
export function followSettings(
  supervisor: Supervisor,
  wish: Programs,
  state: string,
  say: (line: string) => void,
  pause = CONF_AGAIN_MS,
): void {
  let [seen, said] = [state, '']
  let tried = { state, until: Infinity }
  const look = () => {
    const now = stateOfPrograms(wish.root, wish.env)
    const isNew = now !== state && now === seen
    seen = now
    if (!isNew || (now === tried.state && performance.now() < tried.until)) return
    tried = { state: now, until: performance.now() + pause }
    supervisor.follow(programsOf(wish))
    state = now
    said = ''
  }
  const timer = setInterval(() => {
    try {
      look()
    } catch (error) {
      const line = `the programs go on with the settings that they have: ${reasonOf(error)}`
      if (line !== said) say(line)
      said = line
    }
  }, CONF_LOOK_MS)
  void supervisor.ended.then(() => clearInterval(timer))
}
