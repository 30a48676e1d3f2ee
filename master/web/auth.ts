// Decides who may do more than read: a user who knows $REPORTER_TOKEN, by a form and a cookie or as a bearer,
// and one named by a trusted proxy. What a browser sends by itself (cookies, addresses, a proxy's headers)
// does not prove which page a request comes from: so an action also needs a word that only our own pages
// hold.

import { createHash, createHmac, randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import type { BlockList } from 'node:net'

import { lasting } from '../../lib/base/exit.ts'
import { networks } from '../../lib/base/networks.ts'
import { isSameSecret } from '../../lib/base/same.ts'
import { optional, words } from '../../lib/base/settings.ts'
import type { Viewer } from './pages/page.ts'

/** The parts of a request that identify its sender. */
export interface Sender {
  readonly address: string
  header(name: string): string | undefined
  cookie(name: string): string | undefined
}

export const COOKIE = 'bass-reporter'
/** How long a session lasts, in seconds. */
export const SESSION = 30 * 86_400

export interface Auth {
  /** True if there is a form to log in with. */
  readonly form: boolean
  viewer(sender: Sender): Viewer
  /** The value of a new session's cookie, if the token is right. */
  login(token: string): string | undefined
  /** True if this request was made by a page of ours, or by no page at all. */
  isOurs(sender: Sender, viewer: Viewer, word: string | undefined): boolean
}

/** Reads the settings; without any of them everybody may only read. */
export function openAuth(env = process.env): Auth {
  const token = optional('REPORTER_TOKEN', env)
  const userHeader = optional('REPORTER_USER_HEADER', env)
  const users = words('REPORTER_USERS', env)
  const trusted = networks('REPORTER_TRUSTED', env)
  if (token !== undefined && token.length < 16) {
    throw lasting('read the setting REPORTER_TOKEN', 'it is to have 16 characters or more, chosen at random')
  }
  if (userHeader !== undefined && trusted === undefined) {
    throw lasting('read the setting REPORTER_USER_HEADER', 'REPORTER_TRUSTED does not say whom to believe it')
  }
  // Sessions outlive this process as long as the token stays the same.
  const key = token === undefined ? randomBytes(32) : createHash('sha256').update(`session ${token}`).digest()
  const sign = (text: string) => createHmac('sha256', key).update(text).digest('base64url')
  const mayAct = (name: string) => users.length === 0 || users.includes(name)

  const fromProxy = (sender: Sender): string | undefined => {
    if (userHeader === undefined || trusted === undefined) return undefined
    const name = sender.header(userHeader)?.trim()
    return name && mayAct(name) && isTrusted(trusted, sender.address) ? name : undefined
  }
  const session = (sender: Sender): string | undefined => {
    const [id = '', until = '', signature = ''] = sender.cookie(COOKIE)?.split('.') ?? []
    if (token === undefined || !isSameSecret(signature, sign(`session ${id}.${until}`))) return undefined
    return Number(until) > Date.now() ? id : undefined
  }
  return {
    form: token !== undefined,
    viewer: sender => {
      const bearer = /^Bearer (.+)$/i.exec(sender.header('authorization') ?? '')
      if (token !== undefined && bearer && isSameSecret(bearer[1], token))
        return { name: 'token', direct: true }
      const name = fromProxy(sender)
      if (name !== undefined) return { name, word: sign(`form of ${name}`) }
      const id = session(sender)
      return id === undefined ? {} : { name: 'token', word: sign(`form in ${id}`) }
    },
    login: given => {
      if (token === undefined || !isSameSecret(given, token)) return undefined
      const session = `${randomBytes(16).toString('base64url')}.${Date.now() + SESSION * 1000}`
      return `${session}.${sign(`session ${session}`)}`
    },
    isOurs: (sender, viewer, word) => {
      if (viewer.direct) return true
      return isSameOrigin(sender) && viewer.word !== undefined && isSameSecret(word ?? '', viewer.word)
    },
  }
}

/** True if a browser says that a page of this very site sent this. */
export function isSameOrigin(sender: Sender): boolean {
  const site = sender.header('sec-fetch-site')
  if (site !== undefined) return site === 'same-origin'
  // An older browser: it names the origin of each POST.
  const origin = sender.header('origin') ?? ''
  return URL.canParse(origin) && new URL(origin).host === sender.header('host')
}

function isTrusted(trusted: BlockList, address: string): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/, '')
  return isIP(plain) !== 0 && trusted.check(plain, isIP(plain) === 4 ? 'ipv4' : 'ipv6')
}
