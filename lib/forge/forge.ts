// A forge: the server that holds the code of a project, its changes (pull or merge requests) and their checks. One
// interface; one file of this room for each kind of forge. Reading deliveries is pure; all calls go through client.ts.

/** The kinds of forges that FORGE may name. */
export const FORGE_KINDS = ['github', 'gitea', 'forgejo', 'gitlab', 'git'] as const
export type ForgeKind = (typeof FORGE_KINDS)[number]

/** A repository on a forge, as FORGE names it. */
export interface ForgeAddress {
  readonly kind: ForgeKind
  /** The forge's address without a slash at its end, `https://github.com`; of `git:`, the repository's own URL. */
  readonly server: string
  /** `OWNER/REPO`, of GitLab `GROUP/.../REPO`; empty for `git:`. */
  readonly path: string
}

/** A pull or merge request, as a delivery or the API shows it. All texts are one line. */
export interface Change {
  readonly number: number
  readonly title: string
  /** The author's name on the forge; empty where the forge does not say. */
  readonly author: string
  /** The author's number on the forge, where lookups go by number. */
  readonly authorId: number | null
  /** True if the forge itself says that the author belongs to the repository; false means that it does not say so. */
  readonly member: boolean
  /** The page of the change; null where the forge names none. */
  readonly url: string | null
  /** The tip of the target branch as the forge knew it; null where it does not say. */
  readonly base: string | null
  /** The branch it is to go into, `main`. */
  readonly target: string
  /** The commit to test. */
  readonly head: string
  /** The branch it comes from, by its short name, in whichever repository. */
  readonly source: string
  /** True if the head is in another repository, or in one that is gone. */
  readonly fork: boolean
  /** When it changed last by the forge's clock, in milliseconds since 1970; null where the forge does not say. */
  readonly updated: number | null
}

/** How many paths of what decides what is run are named. */
const TOLD = 5

/** Of paths that differ, those of `.bass/` and Testfiles, which decide what is run, sorted; of many the first. Pure. */
export function touchesTests(paths: readonly string[]): string[] {
  const found = paths.filter(path => /^\.bass\/|(?:^|\/)Testfile$/.test(path)).sort()
  return found.length > TOLD ? [...found.slice(0, TOLD), 'and more'] : found
}

/** The parameters of a change, for steps and people; `touches`: the files by which an outsider changes what is run. Pure. */
export const changeParams = (
  change: Change,
  base: string | undefined,
  touches: readonly string[],
): Record<string, string> => ({
  CHANGE: String(change.number),
  TITLE: change.title,
  AUTHOR: change.author,
  ...(change.url === null ? {} : { URL: change.url }),
  ...(base === undefined ? {} : { BASE: base }),
  TARGET: change.target,
  FORK: change.fork ? 'yes' : 'no',
  ...(touches.length > 0 ? { TOUCHES: touches.join(', ') } : {}),
})

/** The requests of a delivery. */
export type Wish =
  { readonly kind: 'ping' } | { readonly kind: 'nothing'; readonly why: string } | PushWish | ChangeWish

/** A ref moved. */
export interface PushWish {
  readonly kind: 'push'
  /** The repository by the name that the forge has for it now. */
  readonly repository: string
  /** `refs/heads/...` or `refs/tags/...`, a name that git takes. */
  readonly ref: string
  /** The ref's old value; null if it is new. */
  readonly before: string | null
  /** The ref's new value; null if it is gone. For an annotated tag this may be the tag object. */
  readonly after: string | null
  readonly author: string
}

/** A change is to be built (`opened`, `updated`, `reopened`) or left alone (`closed`, also if it was merged). */
export interface ChangeWish {
  readonly kind: 'change'
  readonly repository: string
  readonly action: 'opened' | 'updated' | 'reopened' | 'closed'
  readonly change: Change
}

/** A signed delivery that is not what its forge sends; the message names the field. */
export class BadDelivery extends Error {}

/** A forge as a way in: everything that takes no call. */
export interface Forge {
  readonly place: ForgeAddress
  /** Where git fetches from; there is no credential in it. */
  readonly cloneUrl: string
  /** The page of the repository; null for `git:`. */
  readonly page: string | null
  /** The page of a commit, a change, a file or directory at a commit; null where the forge has none. */
  commitPage(sha: string): string | null
  changePage(number: number): string | null
  filePage(sha: string, path: string): string | null
  /** The ref of a change's head on the forge; null where the forge has no changes. */
  changeRef(number: number): string | null
  /** The forge's own id of a delivery, the same when it is sent again; undefined if it has none that can be a file's name. */
  deliveryId(headers: Headers): string | undefined
  /** True if the delivery was signed with the secret. Takes constant time. An empty secret verifies nothing. */
  verify(headers: Headers, body: Uint8Array, secret: string): boolean
  /** Reads the requests of a verified delivery. Pure; throws BadDelivery. */
  read(headers: Headers, body: Uint8Array): Wish
}
