// One finding about this host: a line for people, an object for programs.

export interface Finding {
  /** Which check it is of; stays the same from version to version. */
  readonly check:
    | 'setting'
    | 'program'
    | 'file-system'
    | 'atomic'
    | 'directory'
    | 'host-name'
    | 'clock'
    | 'taker'
    | 'arch'
    | 'event'
    | 'repository'
    | 'hook'
    | 'secret'
    | 'channel'
    | 'mailer'
    | 'forge'
    | 'token'
    | 'webhook'
    | 'delivery'
    | 'mirror'
    | 'place'
  /** The subject: a setting, a program, a path, a host, an architecture, a project. */
  readonly subject: string
  readonly ok: boolean
  /** The observation. */
  readonly text: string
  /** The remedy, as a command where there is one; null if all is well. */
  readonly fix: string | null
}

type Check = Finding['check']

export const fine = (check: Check, subject: string, text: string): Finding => ({
  check,
  subject,
  ok: true,
  text,
  fix: null,
})

export const wrong = (check: Check, subject: string, text: string, fix: string): Finding => ({
  check,
  subject,
  ok: false,
  text,
  fix,
})
