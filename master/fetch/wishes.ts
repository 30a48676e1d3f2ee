// The wishes of a delivery, or of what a look at the forge has found.

import type { Change, ChangeWish, PushWish } from '../../lib/forge/forge.ts'
import type { Delivery, Look } from '../receive/delivery.ts'
import type { ForgeProject } from './project.ts'
import { readChange } from './state.ts'
import type { ChangeState } from './state.ts'

type FetchWish = PushWish | ChangeWish

/** The wishes of a delivery. Throws BadDelivery if it cannot be read, ForgeError if the forge cannot be asked. */
export async function wishesIn(stored: Delivery | Look, project: ForgeProject): Promise<FetchWish[]> {
  if (!('look' in stored)) {
    const wish = project.forge.read(stored.headers, stored.body)
    return wish.kind === 'push' || wish.kind === 'change' ? [wish] : []
  }
  const wishes: FetchWish[] = []
  for (const [ref, tip] of stored.look) {
    const number = changeNumber(ref)
    if (number === undefined) wishes.push(pushOf(ref, tip))
    else wishes.push(...(await changeOf(number, tip, project)))
  }
  return wishes
}

/** The number of the change whose head a ref is; undefined if it is another ref. Pure. */
export const changeNumber = (ref: string): number | undefined => {
  const digits = /^refs\/(?:pull|merge-requests)\/(\d{1,15})\/head$/.exec(ref)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

const pushOf = (ref: string, tip: string | null): PushWish => ({
  kind: 'push',
  repository: '',
  ref,
  before: null,
  after: tip,
  author: '',
})

/**
 * The wish for a change whose head is elsewhere than was heard of, or of which it is not known any more that it is open: it is what
 * the forge says now. Without a token nobody can be asked: then it is whose it was before, and where nothing was ever heard of
 * it, it comes from outside. `tip` is null where its ref is gone.
 */
async function changeOf(number: number, tip: string | null, project: ForgeProject): Promise<ChangeWish[]> {
  const known = readChange(project.inbox, number)
  const wish = (action: ChangeWish['action'], change: Change): ChangeWish[] => [
    { kind: 'change', repository: '', action, change },
  ]
  if (project.api) {
    const found = await project.api.change(number)
    if (found?.open === true) return wish(known?.open === false ? 'reopened' : 'updated', found)
    // Its head stays the one that was built, whatever was pushed there since.
    return known?.open ? wish('closed', { ...(found ?? asKnown(known)), head: known.head }) : []
  }
  if (known?.open === false) return []
  if (tip === null) return known ? wish('closed', asKnown(known)) : []
  return wish('updated', known ? { ...asKnown(known), head: tip } : unheardOf(number, tip))
}

const asKnown = (known: ChangeState): Change => ({
  ...known,
  authorId: null,
  source: known.source ?? '',
  updated: known.updated || null,
})

const unheardOf = (number: number, head: string): Change => ({
  number,
  title: '',
  author: '',
  authorId: null,
  member: false,
  url: null,
  base: null,
  target: '',
  head,
  source: '',
  fork: true,
  updated: null,
})
