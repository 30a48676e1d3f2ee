// How checks are called, by a spool and by a farm alike: a project that moves from one to the other keeps the checks that its
// forge requires. Pure.

import { TESTFILE } from './testfile.ts'

/** The name of a check: `NAME` at the root, `DIRECTORY NAME` below; in one line, whatever the directory is called. */
export const checkName = (directory: string, name: string): string =>
  // eslint-disable-next-line no-control-regex -- These are what is looked for.
  (directory === '' ? name : `${directory} ${name}`).replace(/[\0-\x1f\x7f]/g, byte => `\\x${hex(byte)}`)

const hex = (byte: string): string => byte.charCodeAt(0).toString(16).padStart(2, '0')

/** The name of the check of a commit that concerns no Testfile, and what it says. */
export const NOTHING_TO_TEST = { name: TESTFILE, says: 'nothing to test' }

/** True of the name of a check that tells of a Testfile itself; no line has such a name. */
export const isOfTestfile = (name: string): boolean => name === TESTFILE || name.endsWith(` ${TESTFILE}`)

/** Facts of a project on which the names of its checks depend. */
export interface Naming {
  readonly project: string
  /** For how many architectures it is built. */
  readonly archs: number
  /** True if other projects tell of the same repository: lines of the same name in both would overwrite one another's checks. */
  readonly shared: boolean
}

/**
 * The name under which a forge shows a check for `target`, ARCH or ARCH:HOST: that of its line, with the target where there is
 * more than one; or `PROJECT TARGET`, without a name, of the steps in `.bass/`.
 */
export function contextOf(name: string | null, target: string, { project, archs, shared }: Naming): string {
  if (name === null) return `${project} ${target}`
  const whole = shared ? `${project}: ${name}` : name
  // What is wrong with a Testfile is said once, whatever it is built for.
  return archs > 1 && !isOfTestfile(name) ? `${whole} ${target}` : whole
}
