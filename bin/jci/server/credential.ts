// Passwords for one job: signed statements of what may be done and until when. To check one takes no memory, so that it is
// dead after its time whatever crashes. And the names of the tokens that a forge makes instead.

import { existsSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { dirname } from 'node:path'

import { isSameSecret } from '../../../lib/base/same.ts'
import { makeDirectories } from '../../../lib/system/directories.ts'
import { hmac } from '../../../lib/forge/payload.ts'
import { publishFile, readIfThere, token } from '../../../lib/system/durable.ts'

export interface Statement {
  readonly job: string
  /** How often the job had been assigned then: the password of an earlier time is dead. */
  readonly attempt: number
  readonly owner: string
  readonly repo: string
  readonly commit: string
  /** In milliseconds since 1970. */
  readonly expires: number
}

/** The key of this server, made once. */
export function readKey(path: string): string {
  makeDirectories(dirname(path))
  if (!existsSync(path)) publishFile(path, randomBytes(32).toString('hex'), 0o600)
  const key = readIfThere(path)
  if (!key || !/^[0-9a-f]{64}$/.test(key)) throw new Error(`'${path}' holds no key`)
  return key
}

export function makePassword(key: string, { job, attempt, owner, repo, commit, expires }: Statement): string {
  const text = Buffer.from(JSON.stringify([job, attempt, owner, repo, commit, expires])).toString('base64url')
  return `${text}.${signatureOf(text, key)}`
}

const signatureOf = (text: string, key: string): string => hmac(text, key).toString('base64url')

/** Reads a password; undefined if it is not ours or its time is over. */
export function checkPassword(key: string, password: string, now = Date.now()): Statement | undefined {
  const [text = '', signature = '', ...more] = password.split('.')
  if (more.length > 0 || !isSameSecret(signature, signatureOf(text, key))) return undefined
  const [job, attempt, owner, repo, commit, expires] = JSON.parse(
    Buffer.from(text, 'base64url').toString(),
  ) as [string, number, string, string, string, number]
  return expires > now ? { job, attempt, owner, repo, commit, expires } : undefined
}

/** The names of the tokens that this server has the forge make: the same user may have those of another server. */
export class TokenNames {
  readonly #suffix: string

  /** `key` is that of the server. */
  constructor(key: string) {
    this.#suffix = `-of-${hmac('tokens', key).toString('hex').slice(0, 12)}`
  }

  /** A new name each time: what deletes the token of an earlier attempt, however late, deletes no other. */
  draw(job: string): string {
    return `jci-job-${job}-${token()}${this.#suffix}`
  }

  /** True for one that this server has drawn, now or before. */
  isOurs(name: string): boolean {
    return name.startsWith('jci-job-') && name.endsWith(this.#suffix)
  }
}
