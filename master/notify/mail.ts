// A channel that is an address: mails by SMTP, or by the sendmail of this host.

import { accessSync, constants } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'

import { named, odd as oddWord, policyOf } from './channel.ts'
import type { Channel, ChannelKind } from './channel.ts'
import { EXIT, lasting, quote, temporary } from '../../lib/base/exit.ts'
import { setting, words } from '../../lib/base/settings.ts'
import { Refused, tooLong, TRY_TIMEOUT } from './deliver.ts'
import type { Deliver } from './deliver.ts'
import { tellProgram } from './tell-program.ts'
import { mailOf } from './mail-text.ts'
import { secret } from '../../lib/system/secret.ts'

export const mail: ChannelKind = {
  name: 'mail',
  read: ({ project, env }) =>
    words('NOTIFY_MAIL', env).map((word): Channel => {
      const { policy, target } = policyOf(word)
      if (!/^[^\s@:;,<>"]+@[A-Za-z0-9.-]+$/.test(target))
        throw oddWord('NOTIFY_MAIL', quote(word), 'ada@example.org')
      return { project, kind: 'mail', target, policy, name: `mail-${named(target, target)}` }
    }),
  open: (channel, env) => ({ deliver: mailDeliverer(channel, env) }),
}

/** How long a server may take for a whole letter, of which each step may take as long as a try, in milliseconds. */
const LETTER_TIMEOUT = 4 * TRY_TIMEOUT

/** Sends notices as letters. A server that takes longer than `patience` milliseconds for one is away. */
export function mailDeliverer(
  { target }: Pick<Channel, 'target'>,
  env: NodeJS.ProcessEnv,
  patience = LETTER_TIMEOUT,
): Deliver {
  const from = setting('NOTIFY_FROM', env)
  const mailer = setting('NOTIFY_MAILER', env)
  const how = optionsOf(mailer, secret('NOTIFY_PASSWORD', env))
  return async notice => {
    const { createTransport } = await import('nodemailer')
    // The timeouts of its transport begin anew with each byte.
    const signal = AbortSignal.timeout(patience)
    const letter = { from, to: target, ...mailOf(notice, from), signal }
    try {
      if (how.path === undefined) await createTransport(how).sendMail(letter)
      else await post(how.path, await createTransport(WRITING).sendMail(letter))
    } catch (error) {
      if (signal.aborted) throw temporary(`send by ${quote(mailer)}`, tooLong(patience))
      const { message, code, responseCode = 0 } = error as Error & { code?: string; responseCode?: number }
      // The letter or its address, not our account: a password that is wrong is wrong for all.
      throw responseCode >= 500 && code !== 'EAUTH'
        ? new Refused(message)
        : temporary(`send by ${quote(mailer)}`, error)
    }
  }
}

/** Letters are written, with line ends as a sendmail wants them, and not sent. */
const WRITING = { streamTransport: true, buffer: true, newline: 'unix' } as const

interface Letter {
  readonly envelope: { readonly from: string | false; readonly to: readonly string[] }
  readonly message: Buffer | Readable
}

/** Sends a letter by the sendmail of this host, which may hang. */
async function post(sendmail: string, { envelope, message }: Letter): Promise<void> {
  const argv = [sendmail, '-i', '-f', envelope.from || '', ...envelope.to]
  const { code, why } = await tellProgram(argv, message as Buffer, process.env)
  if (code !== EXIT.done) throw new Error(why)
}

/** How long the server of letters may take for one answer when it is only tried, and for all of that, in milliseconds. */
const TRY = 4000
const TRY_WHOLE = 2 * TRY

/** Throws if letters would go nowhere: there is no such sendmail, or no server that takes them from us. Sends none. */
export async function tryMailer(env: NodeJS.ProcessEnv, whole = TRY_WHOLE): Promise<void> {
  const how = optionsOf(setting('NOTIFY_MAILER', env), secret('NOTIFY_PASSWORD', env))
  if (how.path !== undefined) {
    accessSync(how.path, constants.X_OK)
    return
  }
  const { createTransport } = await import('nodemailer')
  const timeouts = { connectionTimeout: TRY, greetingTimeout: TRY, socketTimeout: TRY }
  // Its own, so that it can be ended: each byte of the server begins these timeouts anew.
  const socket = new Socket()
  const late = new Error(tooLong(whole))
  const timer = setTimeout(() => socket.destroy(late), whole)
  try {
    await createTransport({ ...how, ...timeouts, socket }).verify()
  } finally {
    clearTimeout(timer)
    socket.destroy()
  }
}

/** Transport options for nodemailer, from `smtp://[USER@]HOST[:PORT]`, `smtps://...`, or the path of a sendmail. */
function optionsOf(mailer: string, password: string | undefined) {
  const odd = (why: string) => lasting('read the setting NOTIFY_MAILER', why)
  if (mailer.startsWith('/')) return { sendmail: true, path: mailer }
  const url = URL.canParse(mailer) ? new URL(mailer) : undefined
  if (!url || !/^smtps?:$/.test(url.protocol) || url.hostname === '') {
    throw odd('it is neither smtp://[USER@]HOST[:PORT], smtps:// and so on, nor the path of a sendmail')
  }
  if (url.password !== '')
    throw odd('it holds a password; that is for NOTIFY_PASSWORD, or NOTIFY_PASSWORD_FILE')
  const user = decodeURIComponent(url.username)
  if (user !== '' && password === undefined) throw odd('it names a user, but there is no NOTIFY_PASSWORD')
  const secure = url.protocol === 'smtps:'
  return {
    host: url.hostname,
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    secure,
    // A password is not sent for everyone to read.
    ...(user === '' ? {} : { auth: { user, pass: password ?? '' }, requireTLS: !secure }),
    connectionTimeout: TRY_TIMEOUT,
    greetingTimeout: TRY_TIMEOUT,
    socketTimeout: TRY_TIMEOUT,
  }
}
