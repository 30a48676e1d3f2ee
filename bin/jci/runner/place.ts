// Where jobs run.

/** A job as the server gives it. */
export interface Assigned {
  readonly job_id: string
  /** With the credential inside. */
  readonly clone_url: string
  readonly commit_sha: string
  readonly repo_owner: string
  readonly repo_name: string
}

export interface JobPlace {
  /** Starts a job and returns when it runs; it goes on by itself. */
  start(job: Assigned): Promise<void>
  /** The ids of the jobs that run. Throws if that cannot be known. */
  jobs(): Promise<string[]>
  /** Ends what an earlier runner left. */
  begin(): Promise<void>
  /** Ends jobs whose time is over, and what an earlier runner was about to start when it was killed. */
  reap(): Promise<void>
  /** The runner ends. */
  stop(): Promise<void>
}
