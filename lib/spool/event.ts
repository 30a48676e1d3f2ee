// An event: the file $REVS/REF/REVISION, which asks for tasks of a revision of a ref. It is empty, or has lines KEY=VALUE.

import { join } from 'node:path'

import { isErrno } from '../base/errno.ts'
import { fsyncPath, publishFile } from '../system/durable.ts'
import { noteChange } from '../system/polled.ts'
import { makeDirectory } from './spool.ts'
import type { Spool } from './spool.ts'

export interface NewEvent {
  /** The directory of the project's events, $REVS. */
  readonly revs: string
  /** `refs/heads/main`. */
  readonly ref: string
  readonly revision: string
  readonly params: Readonly<Record<string, string>>
}

/**
 * E0: makes an event, as the hook does. Durable when it returns; `there` if there was one already, which keeps its own
 * lines.
 */
export function publishEvent(spool: Spool, event: NewEvent, tries = 5): 'made' | 'there' {
  const directory = join(event.revs, event.ref)
  try {
    makeDirectory(directory)
    const lines = formatParams(event.params)
    const ours = publishFile(join(directory, event.revision), lines, undefined, spool.tasks.tmp)
    fsyncPath(directory)
    noteChange(directory)
    return ours ? 'made' : 'there'
  } catch (error) {
    // Ours leaves directories that have become empty; a person, or another task-maker, may remove them.
    if (tries > 1 && isErrno(error, 'ENOENT')) return publishEvent(spool, event, tries - 1)
    throw error
  }
}

/** The lines of an event. Pure. */
export const formatParams = (params: Readonly<Record<string, string>>): string =>
  Object.entries(params)
    .map(([key, value]) => `${key}=${inOneLine(value)}\n`)
    .join('')

/** A value as the lines of an event hold it: line breaks and NULs become spaces. Pure. */
export const inOneLine = (value: string): string => value.replace(/[\r\n\0\u2028\u2029]+/g, ' ')

/** Lines of `KEY=VALUE`; what is none is left out. Pure. */
export function parseParams(text: string): Record<string, string> {
  const pairs = text
    .split(/\r?\n/)
    .map(line => /^([^=]+)=(.*)$/s.exec(line))
    .filter(match => match !== null)
  return Object.fromEntries(pairs.map(([, key, value]) => [key!.trim(), value!]))
}
