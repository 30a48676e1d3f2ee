// The wishes of a delivery, or of what a look at the forge has found.

import type { Change, ChangeWish, PushWish } from '../../lib/forge/forge.ts'
import type { Delivery, Look } from '../receive/delivery.ts'
import type { ForgeProject } from './project.ts'
import { readChange } from './state.ts'

type FetchWish = PushWish | ChangeWish

/** The wishes of a delivery. Throws BadDelivery if it cannot be read, ForgeError if the forge cannot be asked. */
export async function wishesIn(stored: Delivery | Look, project: ForgeProject): Promise<FetchWish[]> {
  if (!('look' in stored)) {
    const wish = project.forge.read(stored.headers, stored.body)
    return wish.kind === 'push' || wish.kind === 'change' ? [wish] : []
  }
  const wishes: FetchWish[] = []
  for (const [ref, tip] of stored.look) {
    const number = numberOf(ref)
    if (number === undefined) wishes.push(pushOf(ref, tip))
    else if (tip !== null) wishes.push(...(await changeOf(number, tip, project)))
  }
  return wishes
}

/** The number of the change whose head a ref is; undefined if it is another ref. Pure. */
const numberOf = (ref: string): number | undefined => {
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
 * A change that has another head than was heard of. Without a token nobody can be asked about it: then it is whose it was before, and
 * where nothing was ever heard of it, it comes from outside.
 */
async function changeOf(number: number, head: string, { inbox, api }: ForgeProject): Promise<ChangeWish[]> {
  const known = readChange(inbox, number)
  const wish = (change: Change): ChangeWish[] => [
    { kind: 'change', repository: '', action: 'updated', change },
  ]
  if (api) {
    const open = (await api.openChanges()).find(change => change.number === number)
    return open ? wish(open) : []
  }
  if (known?.open === false) return []
  return wish({
    number,
    title: known?.title ?? '',
    author: known?.author ?? '',
    authorId: null,
    member: known?.member ?? false,
    url: known?.url ?? null,
    base: known?.base ?? null,
    target: known?.target ?? '',
    head,
    source: '',
    fork: known?.fork ?? true,
    updated: null,
  })
}
