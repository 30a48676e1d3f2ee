// The work on a commit, and its outcome.

export interface RunWork {
  /** The work tree. */
  readonly top: string
  /** The output directory. */
  readonly output: string
  readonly environment: NodeJS.ProcessEnv
  /** Takes what the run says. */
  readonly say: (bytes: Uint8Array) => void
}

export interface RunOutcome {
  readonly ok: boolean
  /** In words: `exit 1`, `signal KILL`. */
  readonly how: string
}
