// The names of stored runs: `refs/jci-runs/COMMIT/RUNID`, RUNID `UNIXSECONDS-XXXX`. Other tools read and write them too.

import { randomBytes } from 'node:crypto'

import { isCommitId } from '../git/commit-id.ts'

/** Where all stored runs are. */
export const RUNS = 'refs/jci-runs/'

/** One run of a commit. */
export interface RunName {
  /** The full id of the commit that was tested. */
  readonly commit: string
  readonly run: string
}

export type RunStatus = 'ok' | 'err' | 'running'

const RUN_ID = /^\d{1,12}-[0-9a-f]{4}$/

export const isRunId = (text: string): boolean => RUN_ID.test(text)

/** Draws the id of a run that begins at `milliseconds` since 1970. */
export const drawRunId = (milliseconds: number): string =>
  `${Math.floor(milliseconds / 1000)}-${randomBytes(2).toString('hex')}`

/** When the run began, in seconds since 1970. */
export const secondsOf = (run: string): number => parseInt(run, 10)

export const refOf = ({ commit, run }: RunName): string => `${RUNS}${commit}/${run}`

/** Reads the name of a ref; undefined if it is none of a run. */
export function parseRunRef(ref: string): RunName | undefined {
  const [commit, run, ...more] = ref.startsWith(RUNS) ? ref.slice(RUNS.length).split('/') : []
  return commit !== undefined && run !== undefined && more.length === 0 && isCommitId(commit) && isRunId(run)
    ? { commit, run }
    : undefined
}

/** Reads the content of `status.txt`; undefined if it is none of the three words. */
export function parseStatus(text: string): RunStatus | undefined {
  const word = text.trim()
  return word === 'ok' || word === 'err' || word === 'running' ? word : undefined
}
