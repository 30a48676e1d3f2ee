// Messages of a program: one line each on standard error, `name: level: text`.

import { writeSync } from 'node:fs'
import { basename } from 'node:path'

import { reasonOf } from '../base/errno.ts'
import { Fatal, oneLine, quote } from '../base/exit.ts'

let program = 'bass'

/** Names the program that speaks from now on. */
export function speakAs(name: string): void {
  program = basename(name)
}

/**
 * Says one line, whatever is in the text: what could drive a terminal, or begin another line, stands as `\\x1b`. A
 * standard error that is closed or full loses the line and harms nothing else.
 */
export function say(level: 'fatal' | 'warning' | 'info', text: string): void {
  try {
    writeSync(2, `${program}: ${level}: ${oneLine(text)}\n`)
  } catch {
    // Nobody reads the message.
  }
}

/** Something went wrong and the program goes on: `name: warning: unable to VERB 'OBJECT': reason`. */
export function warn(verb: string, object: string, why: unknown): void {
  say('warning', unable(verb, object, why))
}

const unable = (verb: string, object: string, why: unknown): string =>
  `unable to ${verb} ${quote(object)}: ${why instanceof Fatal ? why.message : reasonOf(why)}`

const said = new Set<string>()

/** As `say` of information, but the same words only once in the life of the program. */
export function sayOnce(text: string): void {
  if (said.has(text)) return
  if (said.size > 10_000) said.clear()
  said.add(text)
  say('info', text)
}

/** As `warn`, but the same words only once in the life of the program. For what stays wrong until someone mends it. */
export function warnOnce(verb: string, object: string, why: unknown): void {
  const key = `${verb}\0${object}\0${reasonOf(why)}`
  if (said.has(key)) return
  if (said.size > 10_000) said.clear()
  said.add(key)
  warn(verb, object, why)
}

/** What goes wrong in a loop is said when it begins and when it becomes another, and not in each round. */
export class Trouble {
  #said: string | undefined

  /** As `warn`, if the last round did not meet the same. */
  warn(verb: string, object: string, why: unknown): void {
    this.say(unable(verb, object, why))
  }

  /** The same in other words. */
  say(text: string): void {
    if (text !== this.#said) say('warning', text)
    this.#said = text
  }

  /** A round met nothing: says so, as information, if the last one did. */
  over(text: string): void {
    if (this.#said !== undefined) say('info', text)
    this.#said = undefined
  }
}
