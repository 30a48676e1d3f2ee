// The questions of verbs, asked over HTTP of the pages of a farmer or a reporter. Reading needs nothing; to cancel and to retry needs
// the token of the pages, REPORTER_TOKEN.

import { setTimeout as sleep } from 'node:timers/promises'

import { EXIT, Fatal, lasting, quote, temporary, told } from '../../lib/base/exit.ts'
import { warnOnce } from '../../lib/system/log.ts'
import { numberOf } from '../../lib/spool/task-name.ts'
import type { HeldChange } from '../../lib/spool/held.ts'
import type { TaskId } from '../../lib/spool/task-name.ts'
import { openStepLog } from '../../lib/view/bytes.ts'
import type { Bytes, StepLog } from '../../lib/view/bytes.ts'
import type { TaskView } from '../../lib/view/view.ts'
import { API } from '../../lib/view/views.ts'
import type { Cancelled, Seen, TaskDetails, Overview, Views } from '../../lib/view/views.ts'
import { STEP } from '../../lib/spool/job-files.ts'

/** How long an answer may take, in milliseconds. */
const ANSWER_TIMEOUT_MS = 20_000
/** How long one that has answered before may be away: whoever waits for a job lives through its restart. In ms. */
const AWAY = 60_000
/** Tasks whose subjects are asked for at once. */
const SUBJECTS = 200
/** Bytes of a log that are asked for at once. */
const LOG_READ_BYTES = 1 << 20

interface Request {
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  /** Statuses, besides 2xx, that the caller understands. */
  readonly well?: readonly number[]
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
}

export class RemoteViews implements Views {
  readonly pace = 400
  readonly #origin: string
  readonly #token: string | undefined
  #answered = false

  /** `origin`: as https://ci.example.org. `token`: REPORTER_TOKEN of those pages. */
  constructor(origin: string, token: string | undefined) {
    const url = new URL(origin)
    // A name and password in it are not for messages.
    this.#origin = (url.origin + url.pathname).replace(/\/+$/, '')
    this.#token = token
  }

  async one(text: string): Promise<TaskId> {
    const { names } = await this.#find(text, 'one')
    return names[0]!
  }

  async all(text: string): Promise<readonly TaskId[]> {
    return (await this.#find(text, 'all')).names
  }

  async isComing(text: string): Promise<boolean> {
    return (await this.#find(text, 'coming')).coming
  }

  /** A task that is not found is an error of the caller's words, which the answer tells. */
  async #find(text: string, which: 'one' | 'all' | 'coming') {
    const query = new URLSearchParams({ task: text, which })
    const answer = await this.#ask(`/api/find?${query.toString()}`, { well: [404] })
    const json = this.#json(answer) as { names: TaskId[]; coming: boolean; error?: string }
    if (json.error !== undefined) throw told(json.error)
    return json
  }

  async look(name: TaskId): Promise<Seen | undefined> {
    const answer = await this.#ask(`/api/task/${numberOf(name)}`, { well: [404] })
    const seen = this.#json(answer) as Seen
    return answer.status === 404 || seen.view.name !== name ? undefined : seen
  }

  async status(project: string | undefined, recent: number): Promise<Overview> {
    const path = project === undefined ? '/api/status' : `/api/status/${encodeURIComponent(project)}`
    const answer = await this.#ask(`${path}?recent=${recent}`, { well: [404] })
    const status = this.#json(answer) as Overview
    if (answer.status === 404) throw lasting(`find the project ${quote(project ?? '')}`, 'there is none')
    return status
  }

  async subjects(tasks: readonly TaskView[]): Promise<ReadonlyMap<string, string>> {
    const nums = tasks.map(({ num }) => num).slice(0, SUBJECTS)
    if (nums.length === 0) return new Map()
    const answer = await this.#ask(`/api/subjects?tasks=${nums.join(',')}`)
    return new Map(Object.entries(this.#json(answer) as Record<string, string>))
  }

  async show(name: TaskId): Promise<TaskDetails | undefined> {
    const answer = await this.#ask(`/api/show/${numberOf(name)}`, { well: [404] })
    const shown = this.#json(answer) as TaskDetails
    return answer.status === 404 ? undefined : shown
  }

  log({ num }: TaskView, step: string): Promise<StepLog> {
    const base = `/api/log/${num}/${encodeURIComponent(step)}`
    return openStepLog(file => this.#bytes(`${base}/${file === STEP.stdout ? 'out' : 'err'}`))
  }

  async cancel(name: TaskId): Promise<Cancelled> {
    return this.#json(await this.#act('cancel', name)) as Cancelled
  }

  async retry(name: TaskId): Promise<TaskId> {
    const json = this.#json(await this.#act('retry', name)) as { name: TaskId; error?: string }
    if (json.error !== undefined) throw told(json.error)
    return json.name
  }

  async approve({ project, number, revision }: HeldChange): Promise<boolean> {
    const path = `/api/approve/${encodeURIComponent(project)}/${number}/${encodeURIComponent(revision)}`
    const answer = await this.#ask(path, { method: 'POST', well: [401, 409] })
    if (answer.status === 401) throw this.#unknown(`approve change ${number} of ${quote(project)}`)
    return answer.status === 200
  }

  #unknown(verb: string): Fatal {
    const why = this.#token === undefined ? 'needs its REPORTER_TOKEN' : 'REPORTER_TOKEN is wrong'
    return lasting(`${verb} at ${this.#origin}`, why)
  }

  async #act(what: 'cancel' | 'retry', name: TaskId): Promise<Answer> {
    const path = `/api/${what}/${numberOf(name)}`
    const answer = await this.#ask(path, { method: 'POST', well: [401, 404, 409] })
    if (answer.status === 401) throw this.#unknown(`${what} ${quote(name)}`)
    if (answer.status === 404) throw lasting(`${what} ${quote(name)}`, 'it was pruned')
    return answer
  }

  /** One stream of a log, from its end at this moment backwards; undefined where it is empty. */
  async #bytes(path: string): Promise<Bytes | undefined> {
    // One byte tells what there is.
    const first = await this.#ask(path, { headers: { Range: 'bytes=-1' }, well: [404, 416] })
    const range = /^bytes (?:\d+-\d+|\*)\/(\d+)$/.exec(first.headers.get('content-range') ?? '')
    const size = Number(range?.[1] ?? 0)
    if (size === 0) return undefined
    let block: { at: number; bytes: Buffer } = { at: 0, bytes: Buffer.alloc(0) }
    return {
      begin: Number(first.headers.get('bass-begin') ?? 0),
      size,
      read: async (at, length) => {
        const end = Math.min(at + length, size)
        if (end <= at) return Buffer.alloc(0)
        if (at < block.at || at >= block.at + block.bytes.length) {
          const last = Math.min(size, at + Math.max(length, LOG_READ_BYTES)) - 1
          const answer = await this.#ask(path, {
            headers: { Range: `bytes=${at}-${last}` },
            well: [404, 416],
          })
          block = { at, bytes: answer.status === 206 ? answer.body : Buffer.alloc(0) }
        }
        return block.bytes.subarray(at - block.at, end - block.at)
      },
      close: () => Promise.resolve(),
    }
  }

  #json({ body }: Answer): unknown {
    try {
      return JSON.parse(body.toString())
    } catch (error) {
      throw temporary(`understand the farmer at ${this.#origin}`, error)
    }
  }

  /** An answer, if it is a well one. One that has answered before is asked again while it is away. */
  async #ask(path: string, request: Request = {}): Promise<Answer> {
    const end = performance.now() + AWAY
    for (let wait = 250; ; wait = Math.min(2 * wait, 2000)) {
      try {
        const answer = await this.#once(path, request)
        this.#answered = true
        return answer
      } catch (error) {
        const passes = error instanceof Fatal && error.exitCode === EXIT.temporary
        // The request may have arrived.
        if (!passes || !this.#answered || request.method === 'POST' || performance.now() > end) throw error
        warnOnce('ask', this.#origin, error)
        await sleep(wait)
      }
    }
  }

  async #once(path: string, { method = 'GET', headers = {}, well = [] }: Request): Promise<Answer> {
    let answer: Answer
    try {
      const response = await fetch(this.#origin + path, {
        method,
        redirect: 'error',
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
        headers: {
          ...headers,
          ...(this.#token === undefined ? {} : { Authorization: `Bearer ${this.#token}` }),
        },
      })
      // A job ends, and moves, while it is read: then this breaks off.
      const body = Buffer.from(await response.arrayBuffer())
      answer = { status: response.status, headers: response.headers, body }
    } catch (error) {
      throw temporary(`ask the farmer at ${this.#origin}`, error)
    }
    // A proxy in front of it may answer for one that is away.
    if (answer.status >= 500)
      throw temporary(`ask the farmer at ${this.#origin}`, `it answers ${answer.status}`)
    const version = answer.headers.get(API.header)
    if (version !== API.version) throw otherVersion(this.#origin, version)
    if (answer.status < 300 || well.includes(answer.status)) return answer
    throw lasting(
      `ask the farmer at ${this.#origin}`,
      `it answers ${answer.status} to ${path.split('?')[0]!}`,
    )
  }
}

function otherVersion(origin: string, version: string | null): Fatal {
  if (version === null) {
    return lasting(`ask the farmer at ${origin}`, 'it is no farmer or reporter, or one of an older version')
  }
  return lasting(
    `ask the farmer at ${origin}`,
    `it speaks version ${quote(version)}, this is version ${API.version}`,
  )
}
