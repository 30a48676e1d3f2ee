// A server that is only git: it sends nothing and shows nothing, so it is looked at.

import type { Forge, ForgeAddress } from './forge.ts'

export const gitForge = (place: ForgeAddress): Forge => ({
  place,
  page: null,
  cloneUrl: place.server,
  commitPage: () => null,
  changePage: () => null,
  filePage: () => null,
  changeRef: () => null,
  deliveryId: () => undefined,
  verify: () => false,
  read: () => ({ kind: 'nothing', why: 'a git server sends nothing' }),
})
