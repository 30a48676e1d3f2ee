// The host names under which browsers may reach this site. A hostile page can have its own name resolved to
// our address, and would then read here as if it were ours; it cannot own one of these names. Pure.

import { isIP } from 'node:net'

/**
 * True if a request's Host header is none that a stranger can own: an address, a name without a dot or below
 * `localhost`, or one of `names`. A request without one is of no browser.
 */
export function isOurHost(header: string | undefined, names: readonly (string | undefined)[]): boolean {
  if (!header) return true
  const url = `http://${header}`
  if (!URL.canParse(url)) return false
  const name = plainName(new URL(url).hostname)
  const plain = name.replace(/^\[(.*)\]$/, '$1')
  return (
    isIP(plain) !== 0 ||
    !name.includes('.') ||
    name.endsWith('.localhost') ||
    names.some(own => own !== undefined && plainName(own) === name)
  )
}

/** Names of hosts are compared without regard to case, or to the dot that may end them. */
const plainName = (name: string) => name.toLowerCase().replace(/\.$/, '')
