// A forge as it is called. One interface; github-api.ts, gitea-api.ts and gitlab-api.ts are the forges.

import type { Change } from './forge.ts'

/** A check: the result that a forge shows beside a commit. */
export interface Status {
  readonly sha: string
  /** The check's name; one context has one state, the one that was set last. */
  readonly context: string
  readonly state: 'pending' | 'running' | 'success' | 'failure' | 'error' | 'cancelled'
  /** Cut to what forges take. */
  readonly description: string
  /** Where the check's link leads; null for nowhere. */
  readonly url: string | null
}

/** Most characters of a status' description: more is refused by GitHub. */
const DESCRIPTION_MAX = 140

/** A description as long as forges take it; characters are never cut in two. Pure. */
export function shorten(text: string): string {
  if (text.length <= DESCRIPTION_MAX) return text
  let short = ''
  for (const character of text) {
    if (short.length + character.length >= DESCRIPTION_MAX) break
    short += character
  }
  return `${short}…`
}

/** The files that a change touches, by both names where one was renamed. */
export interface ChangedFiles {
  readonly names: readonly string[]
  /** False where the forge lists fewer than there are: then only git knows. */
  readonly complete: boolean
}

/** A webhook that is registered on the forge. */
export interface Hook {
  readonly id: number
  readonly url: string
  readonly active: boolean
  readonly events: readonly string[]
  /** The result of the last delivery, in the forge's words; null where it does not say. */
  readonly last: string | null
}

/** The rights of a token. */
export interface TokenFacts {
  /** The repository as the forge names it now; another name than FORGE's after it was renamed. */
  readonly repository: string
  readonly mayRead: boolean
  /** It may set statuses; of a person's token, as far as can be told, whoever may push. */
  readonly mayPush: boolean
  readonly mayAdmin: boolean
  /** When it ends, in milliseconds since 1970; null if it does not, or the forge does not say. */
  readonly ends: number | null
  /** The forge's clock minus ours, in milliseconds; null where it does not say. */
  readonly clock: number | null
}

/** A change as it is at the moment, which is `open` until it is closed or merged. */
export interface AskedChange extends Change {
  readonly open: boolean
}

/** All of these throw ForgeError. */
export interface ForgeApi {
  /** Sets a status. One that the forge has already is done. */
  setStatus(status: Status): Promise<void>
  changedFiles(number: number): Promise<ChangedFiles>
  /** The paths of all files of a commit; undefined where the forge does not list all of them. */
  filesAt(sha: string): Promise<readonly string[] | undefined>
  /** A file of a commit; undefined if it is not there. */
  readFile(sha: string, path: string): Promise<string | undefined>
  openChanges(): Promise<Change[]>
  /** One change, open or not; undefined if it is not there. */
  change(number: number): Promise<AskedChange | undefined>
  /** True if the change's author may push to the repository; false also where that cannot be asked. */
  mayPush(change: Change): Promise<boolean>
  lookAtToken(): Promise<TokenFacts>
  hooks(): Promise<Hook[]>
  addHook(url: string, secret: string): Promise<void>
}

/** Facts that every forge's answer has. */
export function clockIn(headers: Headers, now = Date.now()): number | null {
  const date = Date.parse(headers.get('date') ?? '')
  return Number.isNaN(date) ? null : date - now
}

/** The names of files in a list of changed ones. */
export function namesOf(files: readonly unknown[], ...fields: string[]): string[] {
  const names = files.flatMap(file => fields.map(key => (file as Record<string, unknown>)[key]))
  return [...new Set(names.filter(name => typeof name === 'string' && name !== '') as string[])]
}

/** All items of a generator, at most so many. */
export async function collect(items: AsyncIterable<unknown>, max: number): Promise<unknown[]> {
  const found: unknown[] = []
  for await (const item of items) {
    found.push(item)
    if (found.length >= max) break
  }
  return found
}
