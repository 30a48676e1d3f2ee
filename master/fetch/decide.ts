// Which events a wish leads to, once the mirror has what the forge has now: that counts, not what the delivery said.

import { changeParams, touchesTests } from '../../lib/forge/forge.ts'
import type { ChangeWish, PushWish } from '../../lib/forge/forge.ts'
import { isTrusted } from '../../lib/forge/open.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import type { Mirror } from './mirror.ts'
import type { ForgeProject } from './project.ts'
import { isInHand, lastMade } from './record.ts'
import type { Made, FetchPlan } from './record.ts'
import { readChange } from './state.ts'
import type { ChangeState } from './state.ts'
import { standsFor } from './supersede.ts'

/** The result of a wish. */
export type Decided = Omit<FetchPlan, 'batch'> & { readonly events: readonly Made[] }

const nothing = (why: string, tips: FetchPlan['tips'] = []): Decided => ({
  events: [],
  tips,
  change: null,
  why,
})

/** A branch or tag moved. `id` is that of the delivery; `tips` are those that were dealt with. */
export async function decidePush(
  spool: Spool,
  project: ForgeProject,
  wish: PushWish,
  id: string,
  mirror: Mirror,
  tips: ReadonlyMap<string, string>,
): Promise<Decided> {
  const { ref } = wish
  // A mirror that has it already need not ask.
  const known = wish.after !== null && (await mirror.tip(ref)) === wish.after
  const gone = known ? false : (await mirror.fetch([ref])).has(ref)
  if (gone) return nothing(`${ref} is gone`, [[ref, null]])
  const tip = await mirror.tip(ref)
  const revision = await mirror.commit(ref)
  if (tip === undefined || revision === undefined)
    return nothing(`${ref} is no commit's`, tip ? [[ref, tip]] : [])
  const change = await changeFrom(project, wish, mirror, [revision, tips.get(ref) ?? wish.before])
  if (change !== undefined) return nothing(`${ref} is built as change ${change}`, [[ref, tip]])
  const base = ref.startsWith('refs/tags/') ? undefined : await baseOf(wish, mirror, tips, revision)
  const params = {
    ...(base === undefined ? {} : { BASE: base }),
    ...(wish.author === '' ? {} : { PUSHER: wish.author }),
  }
  const was = tips.get(ref)
  const isBack = was !== undefined && was !== tip
  const again = timesBefore(spool, project, id, [ref, revision], { isBack })
  const event: Made = { where: 'revs', ref, revision, params, again }
  return { events: [event], tips: [[ref, tip]], change: null, why: `${ref} is at ${revision}` }
}

/**
 * How many events of a commit were made before the one that is to be made: one more if it is to be built anew, or if the ref is back
 * at a commit of which all was cancelled or pruned; else the last one is meant, which is made once.
 */
function timesBefore(
  spool: Spool,
  project: ForgeProject,
  id: string,
  [ref, revision]: readonly [string, string],
  { isBack, isAnew = false }: { readonly isBack: boolean; readonly isAnew?: boolean },
): number {
  const last = lastMade(project.inbox, ref, revision)
  if (!last) return 0
  const isDone = last.id !== id && !isInHand(project.inbox, last.id)
  const isMore = isAnew || (isBack && !standsFor(spool, project, ref, revision))
  return isDone && isMore ? last.again + 1 : last.again
}

/**
 * Returns the number of the open change that a branch is the head of, which builds what is pushed there: else it would be built
 * twice, under the same names. Its head was or is one of `commits`, in whichever order a forge tells of the two. The default
 * branch, which may be the head of a change as well, is always built; and so are all where changes wait for a person.
 */
async function changeFrom(
  { inbox, trust }: ForgeProject,
  { ref }: PushWish,
  mirror: Mirror,
  commits: readonly (string | null)[],
): Promise<number | undefined> {
  if (trust === 'none' || !ref.startsWith(HEADS) || ref === (await mirror.defaultBranch())) return undefined
  for (const number of await mirror.changesAt(commits.filter(commit => commit !== null))) {
    const state = readChange(inbox, number)
    const isIts = state?.open === true && !state.fork && state.source === ref.slice(HEADS.length)
    if (isIts && !(await isMerged(state, mirror))) return number
  }
  return undefined
}

/** True of a change that is in its target already, so that it is not open any more, whether a delivery told of that or not. */
const isMerged = async ({ head, target }: ChangeState, mirror: Mirror): Promise<boolean> =>
  target !== '' && (await mirror.mergeBase(head, HEADS + target)) === head

const HEADS = 'refs/heads/'

/** Returns the commit to compare a tip with: the branch when it was last dealt with; of a new one, where it left the default branch. */
async function baseOf(
  { ref, before }: PushWish,
  mirror: Mirror,
  tips: ReadonlyMap<string, string>,
  revision: string,
): Promise<string | undefined> {
  const was = tips.get(ref) ?? before ?? undefined
  if (was !== undefined) return was
  const main = await mirror.defaultBranch()
  return main === undefined || main === ref ? undefined : mirror.mergeBase(main, revision)
}

/** A change was opened, moved on, closed or opened again. */
export async function decideChange(
  spool: Spool,
  project: ForgeProject,
  wish: ChangeWish,
  id: string,
  mirror: Mirror,
): Promise<Decided> {
  const { change, action } = wish
  const ref = project.forge.changeRef(change.number)
  if (ref === null) return nothing('this forge has no changes')
  const before = readChange(project.inbox, change.number)
  const state: ChangeState = { ...pick(change), ref, open: true, head: before?.head ?? change.head }
  if (before && isLate(before, state.updated, action))
    return nothing(`change ${change.number}: it was heard of later already`)
  if (action === 'closed')
    return {
      // Of a head that was heard of, the tip is known as well; or it is gone, which a look has found.
      ...nothing(
        `change ${change.number} is closed`,
        before?.head === change.head ? [] : [[ref, change.head]],
      ),
      change: { ...state, open: false },
    }

  const target = change.target && `refs/heads/${change.target}`
  const missing = await mirror.fetch([ref, ...(target ? [target] : [])])
  const head = missing.has(ref) ? undefined : await mirror.commit(ref)
  if (head === undefined) return nothing(`change ${change.number}: its head is not on the forge any more`)
  const base = change.base ?? (await mirror.commit(target || 'HEAD'))
  const isBack = action === 'reopened' || (before !== undefined && before.head !== head)
  // With another target other files differ.
  const isAnew = !!before?.target && change.target !== '' && before.target !== change.target
  const again = timesBefore(spool, project, id, [ref, head], { isBack, isAnew })
  const touched = change.fork ? await touchedTests(mirror, base, head) : []
  const event: Made = {
    where: (await isTrusted(change, project.trust, project.api)) ? 'revs' : 'held',
    ref,
    revision: head,
    params: changeParams(change, base, touched),
    again,
  }
  const tips: FetchPlan['tips'] = [[ref, (await mirror.tip(ref)) ?? head]]
  const word = event.where === 'held' ? 'waits for an approval of' : 'is at'
  return { events: [event], tips, change: { ...state, head }, why: `change ${change.number} ${word} ${head}` }
}

/**
 * True if more than this was heard of a change before. Forges tell its time in whole seconds: of the same one, what is closed was
 * closed last, unless it was opened again.
 */
function isLate(before: ChangeState, updated: number, action: ChangeWish['action']): boolean {
  if (updated === 0 || updated > before.updated) return false
  return updated < before.updated || (!before.open && (action === 'opened' || action === 'updated'))
}

function pick(change: ChangeWish['change']): Omit<ChangeState, 'ref' | 'open' | 'head'> {
  const { number, title, author, member, fork, url, base, target, source } = change
  return { number, title, author, member, fork, url, base, target, source, updated: change.updated ?? 0 }
}

/** Returns the paths of `.bass/` and Testfiles that a change touches: they decide what is run. */
async function touchedTests(mirror: Mirror, base: string | undefined, head: string): Promise<string[]> {
  const from = base === undefined ? undefined : await mirror.mergeBase(base, head)
  if (from === undefined) return ['all']
  const touched = touchesTests(await mirror.changedPaths(from, head))
  return touched.map(path => Buffer.from(path, 'latin1').toString())
}
