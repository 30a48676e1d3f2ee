// Settings, read from the environment that lib/rc has filled. There are no defaults here: rc has them all.
// A setting that is unset or does not parse ends the program with 100 and one sentence.

import { lasting } from './exit.ts'

/** Variables by name; one that is unset may be there with the value undefined. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The value of a setting that has to be there. */
export function setting(name: string, env: Environment = process.env): string {
  const value = env[name]
  if (!value) throw lasting(`read the setting ${name}`, 'it is not set')
  return value
}

/** The value of a setting, or undefined where it is unset or empty. */
export function optional(name: string, env: Environment = process.env): string | undefined {
  const value = env[name]
  return value === '' ? undefined : value
}

/** A setting of several words, separated by white space; none where it is unset. */
export function words(name: string, env: Environment = process.env): string[] {
  return (env[name] ?? '').split(/\s+/).filter(word => word !== '')
}

const UNITS: Record<string, number> = { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }

/** A span of time, `90`, `1.5h` or `30d`, in milliseconds; undefined if it is none of these. Pure. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([smhd]?)$/.exec(text)
  return match ? Number(match[1]) * UNITS[match[2]!]! * 1000 : undefined
}

/** A setting that is a span of time, in milliseconds. */
export function duration(name: string, env: Environment = process.env): number {
  const value = parseDuration(setting(name, env))
  if (value === undefined) {
    throw lasting(
      `read the setting ${name}`,
      `'${env[name] ?? ''}' is not a time such as 90, 30s, 10m, 24h or 7d`,
    )
  }
  return value
}

/** Nobody looks less often than once a day, in milliseconds; timers know no more than 24 of them. */
const POLL_MAX_MS = 24 * 3600_000

/** How often to look where nothing tells of changes, in milliseconds. */
export const pollInterval = (env: Environment = process.env): number =>
  Math.min(duration('POLL_INTERVAL', env), POLL_MAX_MS)

/** A setting that is a span of time in milliseconds; unset, empty and 0 mean without end. */
export function limit(name: string, env: Environment = process.env): number {
  return (optional(name, env) === undefined ? 0 : duration(name, env)) || Infinity
}

const SIZE_UNITS: Record<string, number> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3 }

/** A number of bytes, `4096`, `64K` or `1.5G`; undefined if it is none of these. Pure. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,12}(?:\.\d+)?)([KMG]?)$/.exec(text)
  return match ? Math.floor(Number(match[1]) * SIZE_UNITS[match[2]!]!) : undefined
}

/** A setting that is a size, in bytes. */
export function size(name: string, env: Environment = process.env): number {
  const value = parseSize(setting(name, env))
  if (value === undefined) {
    throw lasting(
      `read the setting ${name}`,
      `'${env[name] ?? ''}' is not a size such as 4096, 64K, 100M or 10G`,
    )
  }
  return value
}

/** A setting that is a size, in bytes; 0 means without end. */
export const sizeLimit = (name: string, env: Environment = process.env): number => size(name, env) || Infinity

/** A setting that is a whole number, 0 or more. */
export function count(name: string, env: Environment = process.env): number {
  const text = setting(name, env)
  if (!/^\d{1,15}$/.test(text)) throw lasting(`read the setting ${name}`, `'${text}' is not a whole number`)
  return Number(text)
}

/** Where to listen. */
export interface Listening {
  /** Empty for every address. */
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
}

/** `8010`, which is this machine alone, `127.0.0.1:8010`, `[::1]:8010`, `ci.example.org:8010`, `:8010`; else undefined. Pure. */
export function parseListen(text: string): Listening | undefined {
  const match = /^(?:(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]]*)):)?(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  return match && port <= 65_535 ? { host: match[1] ?? match[2] ?? '127.0.0.1', port } : undefined
}

/** A setting that is a place to listen. */
export function listenAt(name: string, env: Environment = process.env): Listening {
  const place = parseListen(setting(name, env))
  if (place === undefined) {
    throw lasting(
      `read the setting ${name}`,
      `'${env[name] ?? ''}' is not a place to listen, such as 127.0.0.1:8010`,
    )
  }
  return place
}

/** The address by which this machine reaches what listens there. Pure. */
export const listenAddress = ({ host, port }: Listening): string =>
  `http://${host.includes(':') ? `[${host}]` : host || 'localhost'}:${port}`

/** A setting that is the address of our pages: its scheme, host and port; undefined where it is unset. */
export function address(name: string, env: Environment = process.env): string | undefined {
  const text = optional(name, env)
  if (text === undefined) return undefined
  if (!/^https?:\/\//.test(text) || !URL.canParse(text) || new URL(text).pathname !== '/') {
    throw lasting(`read the setting ${name}`, `'${text}' is no address such as https://ci.example.org`)
  }
  return new URL(text).origin
}

/** A setting that is one of a few words. */
export function choice<T extends string>(
  name: string,
  among: readonly T[],
  env: Environment = process.env,
): T {
  const text = setting(name, env)
  const found = among.find(word => word === text)
  if (found === undefined) {
    throw lasting(`read the setting ${name}`, `'${text}' is not one of ${among.join(', ')}`)
  }
  return found
}
