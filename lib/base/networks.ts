// Addresses of machines and of networks in a setting. Pure.

import { BlockList, isIP } from 'node:net'

import { lasting, quote } from './exit.ts'
import { words } from './settings.ts'
import type { Environment } from './settings.ts'

/** A setting that names addresses, and networks as `10.0.0.0/8`; undefined if it names none. */
export function networks(name: string, env: Environment = process.env): BlockList | undefined {
  const entries = words(name, env)
  if (entries.length === 0) return undefined
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', prefix, ...more] = entry.split('/')
    const family = isIP(address)
    const bits = family === 4 ? 32 : 128
    const length = Number(prefix ?? bits)
    if (family === 0 || more.length > 0 || !/^\d{1,3}$/.test(prefix ?? String(bits)) || length > bits) {
      throw lasting(
        `read the setting ${name}`,
        `${quote(entry)} is no address such as 127.0.0.1 or 10.0.0.0/8`,
      )
    }
    list.addSubnet(address, length, family === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}
