// How a program ends: exit codes that tell the caller what to do next, and messages of one line in one grammar,
// `name: fatal: unable to VERB 'OBJECT': reason`, on standard error.

import { isErrno, reasonOf } from './errno.ts'

/** 100: wrong usage or a lasting error, do not retry. 111: the system failed, retry later. 99: timed out. */
export const EXIT = { done: 0, timeout: 99, lasting: 100, temporary: 111 } as const

/** Ends a program with one line and an exit code. Any other error is a bug, and keeps its stack. */
export class Fatal extends Error {
  readonly exitCode: number

  /** `attempt` completes "unable to": a verb and, quoted, its object. `why` is a reason or the error that was met. */
  constructor(exitCode: number, attempt: string, why: unknown) {
    super(`unable to ${attempt}: ${why instanceof Fatal ? why.message : oneLine(reasonOf(why))}`, {
      cause: why,
    })
    this.exitCode = why instanceof Fatal ? why.exitCode : exitCode
  }
}

/** A lasting error: the same call would fail again. */
export const lasting = (attempt: string, why: unknown) => new Fatal(EXIT.lasting, attempt, why)

/** The system failed; the same call may work later. */
export const temporary = (attempt: string, why: unknown) => new Fatal(EXIT.temporary, attempt, why)

/** A lasting error that another program has met and told us, in its words: `unable to VERB 'OBJECT': reason`. */
export function told(message: string): Fatal {
  const [, attempt, why] = /^unable to ([^]*?): ([^]*)$/.exec(message) ?? []
  return lasting(attempt ?? 'do that', why ?? message)
}

/**
 * A program could not be started: a lasting error where there is none that can be run, and a temporary one where the system
 * has no room for a process just now, whatever it says (EAGAIN, ENOMEM, EMFILE).
 */
export function notStarted(program: string, error: unknown): Fatal {
  const isMissing = isErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES', 'ENOEXEC', 'ELOOP')
  return new Fatal(isMissing ? EXIT.lasting : EXIT.temporary, `run ${quote(program)}`, error)
}

/** A name as it may stand in a message: quoted, without control characters, which could drive a terminal. */
export function quote(name: string): string {
  return `'${oneLine(name)}'`
}

/** A text in one line, without control characters. */
export function oneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, c => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)
}
