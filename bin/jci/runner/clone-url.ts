// The address of a job's repository, apart from the credential in it.

export interface Split {
  /** Without the credential. */
  readonly url: string
  readonly origin: string
  /** The header that carries the credential. */
  readonly header: string
}

/** Takes the credential out of an address. Throws TypeError if it is none. Pure. */
export function split(cloneUrl: string): Split {
  const url = new URL(cloneUrl)
  const who = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`
  url.username = url.password = ''
  const header = `Authorization: Basic ${Buffer.from(who).toString('base64')}`
  return { url: url.href, origin: url.origin, header }
}

/** The environment in which git sends the credential. */
export const withCredential = ({ header }: Split): Record<string, string> => ({
  GIT_TERMINAL_PROMPT: '0',
  GIT_CONFIG_COUNT: '1',
  GIT_CONFIG_KEY_0: 'http.extraHeader',
  GIT_CONFIG_VALUE_0: header,
})
