// The plan of a delivery, as forge and git know it: which change it is of, and which checks its head is to have. Nothing here
// touches the database.

import { IMAGE_NAME } from '../../lib/base/elsewhere.ts'
import { ForgeError } from '../../lib/forge/client.ts'
import { changeParams, touchesTests } from '../../lib/forge/forge.ts'
import type { ChangeWish, PushWish, Wish } from '../../lib/forge/forge.ts'
import { gitAccess, isTrusted, openApi } from '../../lib/forge/open.ts'
import type { Repository } from '../../lib/git/repository.ts'
import { changedPaths } from '../../lib/git/walk.ts'
import type { Check } from '../../lib/testfile/choose.ts'
import { findChecks } from '../make/testfiles.ts'
import type { FarmMirror } from './mirror.ts'
import type { FarmProject } from './projects.ts'

/** A job, for each of the project's targets. Texts are UTF-8. */
export interface PlannedJob {
  /** The name of its check; null for the steps. */
  readonly label: string | null
  readonly directory: string
  /** Null: the steps are in `.bass/`. */
  readonly command: string | null
}

/** The checks of one commit. */
export interface Head {
  readonly jobs: readonly PlannedJob[]
  /** Testfiles that cannot be read. */
  readonly broken: readonly { readonly label: string; readonly error: string }[]
  /** Why there are none: the commit is gone. */
  readonly gone?: string
}

export interface FarmPlan {
  /** A change's number as text, or the full name of a ref. */
  readonly name: string
  readonly ref: string
  /** The commit; undefined if there is nothing more to build. */
  readonly revision: string | undefined
  /** Why what runs of it is to end, if nothing is to be built. */
  readonly over: string | undefined
  readonly held: boolean
  /** It is open once more, after it was closed. */
  readonly reopened: boolean
  /** Jobs of earlier commits are cancelled. */
  readonly supersedes: boolean
  readonly fork: boolean
  readonly target: string | null
  /** The branch that a change comes from. */
  readonly source: string | null
  readonly title: string
  readonly author: string
  readonly url: string | null
  readonly params: Readonly<Record<string, string>>
  /** When the forge said so, by its clock, in milliseconds since 1970; null where it does not say. */
  readonly heard: number | null
  readonly head: Head
}

const NONE: Head = { jobs: [], broken: [] }

/** The plan of a delivery; undefined if nothing comes of it. Throws where forge or git cannot be asked. */
export async function planOf(
  project: FarmProject,
  wish: Wish,
  mirror: FarmMirror,
): Promise<FarmPlan | undefined> {
  if (wish.kind === 'push') return planPush(project, wish, mirror)
  if (wish.kind === 'change') return planChange(project, wish, mirror)
  return undefined
}

async function planChange(
  project: FarmProject,
  { action, change }: ChangeWish,
  mirror: FarmMirror,
): Promise<FarmPlan> {
  const { title, author, url, fork, target, source, head: revision, updated: heard } = change
  const name = String(change.number)
  const ref = project.forge.changeRef(change.number) ?? `refs/heads/${source}`
  const open = action !== 'closed'
  const held = !(await isTrusted(change, project.trust, openApi(project.forge, project.settings)))
  const looked = open ? await lookAt(project, { name, ref, revision, target }, mirror) : undefined
  return {
    name,
    ref,
    fork,
    target,
    source,
    title,
    author,
    url,
    heard,
    held,
    reopened: action === 'reopened',
    revision: open ? revision : undefined,
    over: open ? undefined : 'the change was closed',
    supersedes: project.supersede !== 'no',
    params: changeParams(change, looked?.base, fork && looked ? touchedTests(looked.files) : []),
    head: looked?.head ?? NONE,
  }
}

async function planPush(
  project: FarmProject,
  { ref, before, after, author }: PushWish,
  mirror: FarmMirror,
): Promise<FarmPlan> {
  const looked = after === null ? undefined : await lookAt(project, { ref, revision: after, before }, mirror)
  return {
    name: ref,
    ref,
    fork: false,
    target: null,
    source: null,
    title: '',
    author,
    url: null,
    heard: null,
    held: false,
    reopened: false,
    revision: after ?? undefined,
    over: after === null ? 'the branch was deleted' : undefined,
    supersedes: project.supersede === 'all',
    params: {
      ...(looked?.base === undefined ? {} : { BASE: looked.base }),
      ...(author === '' ? {} : { PUSHER: author }),
    },
    head: looked?.head ?? NONE,
  }
}

/** The checks of the head of a change that is known already. */
export async function planHead(
  project: FarmProject,
  change: { name: string; ref: string; revision: string; target: string | null },
  mirror: FarmMirror,
): Promise<Head> {
  return (await lookAt(project, change, mirror)).head
}

/** A commit to look at. */
interface Wanted {
  /** The change's number, where it is one. */
  readonly name?: string
  readonly ref: string
  readonly revision: string
  /** The branch that a change is to go into. */
  readonly target?: string | null
  /** The earlier tip of a branch; null if it is new. */
  readonly before?: string | null
}

interface Looked {
  /** The commit that it is compared with. */
  readonly base: string | undefined
  /** The paths that differ, by both names where one was renamed, as latin1; undefined if there is nothing to compare with. */
  readonly files: readonly string[] | undefined
  readonly head: Head
}

/** What git needs in its environment to fetch from the forge. */
export const accessOf = async ({ clone, forge, settings }: FarmProject): Promise<NodeJS.ProcessEnv> =>
  clone === forge.cloneUrl ? gitAccess(forge, settings) : {}

async function lookAt(project: FarmProject, wanted: Wanted, mirror: FarmMirror): Promise<Looked> {
  const { ref, revision } = wanted
  const target = wanted.target ? `refs/heads/${wanted.target}` : undefined
  const access = await accessOf(project)
  // A new branch is compared with where it left the default one.
  const isNew = target === undefined && (wanted.before ?? null) === null
  const main = isNew ? await mirror.defaultBranch(access) : undefined
  await mirror.fetch(
    ref,
    revision,
    [wanted.before ?? undefined, target ?? (main === ref ? undefined : main)],
    access,
  )
  if (!(await mirror.has(revision)))
    return {
      base: undefined,
      files: [],
      head: { ...NONE, gone: `${revision.slice(0, 7)} is gone: something newer was pushed` },
    }
  const base = await baseOf(mirror, revision, target ?? (main === ref ? undefined : main), wanted.before)
  const listed = wanted.name === undefined ? undefined : await listedFiles(project, Number(wanted.name))
  const { code } = mirror
  const files = listed ?? (base === undefined ? undefined : await changedPaths(code, base, revision))
  const checks = await findChecks(code, revision, files)
  return { base, files, head: headOf(checks, await hasSteps(code, revision)) }
}

/** True if a commit has steps of its own: `.bass/` with more in it than the name of an image. */
async function hasSteps(code: Repository, revision: string): Promise<boolean> {
  const tree = await code.tree(revision, '.bass')
  return tree !== undefined && (await code.entries(tree)).some(({ name }) => name !== IMAGE_NAME)
}

/** What decides what is run, among these files; all of it may, if it is not known which they are. */
const touchedTests = (files: readonly string[] | undefined): string[] =>
  files === undefined ? ['all'] : touchesTests(files).map(utf8)

/** Finds the commit to compare with: where it left another branch, else what the branch was, else its first parent. */
async function baseOf(
  mirror: FarmMirror,
  revision: string,
  other: string | undefined,
  before: string | null | undefined,
): Promise<string | undefined> {
  if (other !== undefined) return mirror.mergeBase(other, revision)
  if (before && (await mirror.has(before))) return before
  return mirror.parent(revision)
}

/** The files of a change as the forge lists them; undefined where it does not, or not all: then git knows. */
async function listedFiles({ forge, settings }: FarmProject, number: number): Promise<string[] | undefined> {
  try {
    const found = await openApi(forge, settings)?.changedFiles(number)
    return found?.complete ? found.names.map(name => Buffer.from(name).toString('latin1')) : undefined
  } catch (error) {
    if (error instanceof ForgeError) return undefined
    throw error
  }
}

const utf8 = (text: string): string => Buffer.from(text, 'latin1').toString('utf8')

function headOf(checks: readonly Check[], bass: boolean): Head {
  const jobs = checks.flatMap(check =>
    'command' in check
      ? [{ label: utf8(check.name), directory: utf8(check.directory), command: utf8(check.command) }]
      : [],
  )
  const steps = { label: null, directory: '', command: null }
  return {
    jobs: bass ? [steps, ...jobs] : jobs,
    broken: checks.flatMap(check =>
      'error' in check ? [{ label: utf8(check.name), error: utf8(check.error) }] : [],
    ),
  }
}
