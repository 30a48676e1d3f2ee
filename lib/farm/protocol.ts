// The protocol between a farmer and its workers: JSON over HTTP below `/v1/`, with the secret as a bearer. Pure.
//
// Farmers and workers of different versions work together: each leaves alone what it does not know. What would not go well with
// that is to be said below `/v2/`, which the other side refuses with a sentence.

import type { Verdict } from '../spool/job.ts'
import type { StepView } from '../view/view.ts'

/**
 * Three times that run out one after the other, in ms, all of them since a worker asked with success: then it takes itself for
 * gone and kills its steps; then, where it is stopped and cannot, it is killed; then it is gone, and its job another's.
 */
export const [QUIET, FROZEN, SILENCE] = [4500, 4750, 5000] as const
/** How often a worker says that it lives, in ms. */
export const ALIVE = 1000
/** How long a farmer holds a question for work open, in ms. */
export const POLL = 25_000
/** Most bytes of the body of a request that is JSON. */
export const JSON_MAX = 1 << 20
/** Most bytes of output in one request, and in all that is kept of a step that is watched. */
export const OUTPUT_MAX = 1 << 20
/** Most files of a job. */
export const FILES_MAX = 2000

/** Most bytes of the path of a file: an S3 takes 1,024 for a key, and what stands before it there has up to 59. */
export const PATH_MAX = 960

/** `POST /v1/workers`; answered with `Registered`. */
export interface Registration {
  readonly host: string
  /** The worker's directory. */
  readonly slot: string
  readonly arch: string
  readonly labels: readonly string[]
  readonly version: string
}

export interface Registered {
  readonly worker: string
  /** The farmer's. */
  readonly version?: string
}

/** `GET /v1/work?worker=ID`: a job, or 204 after `POLL`, or 410 for a worker that is gone. */
export interface Work {
  readonly attempt: string
  readonly num: number
  readonly project: string
  readonly version: string
  /** Where git fetches from. */
  readonly clone: string
  readonly ref: string
  readonly revision: string
  readonly label: string
  readonly arch: string
  readonly host: string | null
  readonly directory: string
  /** Null: the steps are in `.bass/`. */
  readonly command: string | null
  readonly params: Readonly<Record<string, string>>
  /** The settings of its project for its jobs: LIMITS of `lib/spool/limits.ts`. */
  readonly limits: Readonly<Record<string, string>>
}

/** Of a job: where its steps run, if not on the worker itself, and remarks for people, as those of a `JobView`. */
export interface About {
  readonly place?: string
  readonly notes?: readonly string[]
}

/** Most remarks of a job. */
export const NOTES_MAX = 100

/** `POST /v1/alive`; answered with `Word`, or 410 for a worker that is gone. */
export interface Alive {
  readonly worker: string
  /** The attempt in hand. */
  readonly attempt?: string
  /** Its steps, where they have changed, and what else is known of it then. */
  readonly steps?: readonly StepView[]
  readonly about?: About
}

/** The answer to a sign of life; and to `GET /v1/runs/ATTEMPT/word?watched=0` (or 1: what is known), held open until it is news. */
export interface WordToWorker {
  /** The attempt is to end: somebody cancelled it, or it does not stand any more. */
  readonly word?: 'cancelled' | 'lost'
  /** Somebody watches its output. */
  readonly watched?: boolean
}

/** A file of a job: its path there, and its bytes. */
export interface JobFile {
  readonly path: string
  readonly size: number
}

/** `POST /v1/runs/ATTEMPT/files` with `{ files }`: where to put each file, by its path. */
export interface Addresses {
  readonly addresses: Readonly<Record<string, string>>
}

/** `POST /v1/runs/ATTEMPT/result`; answered with `{ verdict }`, the one that stands, or 410. */
export interface Result {
  readonly verdict: Verdict
  readonly why?: string | undefined
  readonly steps: readonly StepView[]
  readonly files: readonly JobFile[]
  readonly about?: About
}

/** `POST /v1/runs/ATTEMPT/lost`; answered with `{}`, or 410. */
export interface Loss {
  readonly why?: string | undefined
}

/** The path of a file in a job that is one of its own: no way out, nothing hidden. */
export const isFilePath = (path: unknown): path is string =>
  typeof path === 'string' &&
  Buffer.byteLength(path) <= PATH_MAX &&
  // eslint-disable-next-line no-control-regex -- These are what is looked for.
  !/[\x00-\x1f\x7f\\]/.test(path) &&
  path.split('/').every(part => part !== '' && part !== '.' && part !== '..')
