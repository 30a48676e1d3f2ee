// What a look at this host has found: one line for people, one object for programs.

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
    | 'forge'
    | 'token'
    | 'webhook'
    | 'mirror'
  /** What was looked at: a setting, a program, a path, a host, an architecture, a project. */
  readonly subject: string
  readonly ok: boolean
  /** What is so, or what is wrong. */
  readonly text: string
  /** What to type, or to do; null where it is ok. */
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
