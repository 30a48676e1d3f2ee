// Gitea and Forgejo, which send and answer alike.

import type { Forge, ForgeAddress } from './forge.ts'
import { encodePath, pullRef, readPullLike } from './github.ts'
import { idIn, isSignature } from './payload.ts'

export function gitea(place: ForgeAddress): Forge {
  const page = `${place.server}/${place.path}`
  return {
    place,
    page,
    cloneUrl: `${page}.git`,
    commitPage: sha => `${page}/commit/${sha}`,
    changePage: number => `${page}/pulls/${number}`,
    filePage: (sha, path) => `${page}/src/commit/${sha}/${encodePath(path)}`,
    changeRef: pullRef,
    deliveryId: headers => idIn(headers, 'x-gitea-delivery', 'x-forgejo-delivery'),
    // Forgejo sends the names of both.
    verify: (headers, body, secret) =>
      isSignature(headers.get('x-gitea-signature') ?? headers.get('x-forgejo-signature'), body, secret),
    read: (headers, body) =>
      readPullLike(headers.get('x-gitea-event') ?? headers.get('x-forgejo-event') ?? '', headers, body),
  }
}
