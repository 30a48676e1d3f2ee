// The address of a job's repository, apart from the credential in it.

export interface Split {
  /** Without the credential. */
  readonly url: string
  readonly origin: string
  readonly user: string
  readonly password: string
  /** The header that carries the credential. */
  readonly header: string
}

/** Takes the credential out of an address. Throws TypeError if it is none. Pure. */
export function split(cloneUrl: string): Split {
  const url = new URL(cloneUrl)
  const [user, password] = [decodeURIComponent(url.username), decodeURIComponent(url.password)]
  url.username = url.password = ''
  const header = `Authorization: Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  return { url: url.href, origin: url.origin, user, password, header }
}
