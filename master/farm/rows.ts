// The jobs of a farm as its pages need them.

import type { About } from '../../lib/farm/protocol.ts'
import type { StepView } from '../../lib/view/view.ts'
import type { Database } from './database.ts'

export interface JobRow {
  readonly num: number
  readonly project: string
  readonly version: string
  readonly revision: string
  readonly ref: string
  readonly label: string
  readonly arch: string
  readonly host: string | null
  readonly params: Record<string, string>
  readonly priority: number
  readonly made: Date
  readonly retry_of: number | null
  readonly attempt: string | null
  readonly worker_host: string | null
  readonly worker_slot: string | null
  readonly started: Date | null
  readonly steps: readonly StepView[]
  readonly about: About | null
  readonly cancelled: string | null
  /** How the attempt before was lost. */
  readonly loss: string | null
  readonly title: string | null
  readonly author: string | null
  readonly url: string | null
}

export interface Over extends JobRow {
  readonly verdict: string
  readonly error: string | null
  readonly ended: Date
  readonly retried_as: number | null
  /** Whether there are any. */
  readonly artifacts: boolean
}

/** The name of a task, or of the one with another number that is tried for it, or was. */
export const taskNameOf = ({ project, version, arch, host, ...row }: JobRow, num = row.num): string =>
  [num, project, version, arch, ...(host === null ? [] : [host])].join(':')

/** The columns of a result that pages show; its files, which may be many, are not. */
export const overColumns = (db: Database) => db`
  r.num, r.project, r.version, r.revision, r.ref, r.label, r.arch, r.host, r.params, r.priority, r.made, r.retry_of, r.attempt,
  r.worker_host, r.worker_slot, r.started, r.steps, r.about, r.verdict, r.error, r.ended, r.loss, r.retried_as, null as cancelled,
  c.title, c.author, c.url, r.files @? '$[*] ? (@.path starts with "artifacts/")' as artifacts
  from result r left join change c on c.id = r.change`
