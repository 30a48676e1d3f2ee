// Names of tasks, `NUM:PROJECT:VERSION:ARCH[:HOST]`. Pure.

import type { Brand } from '../base/brand.ts'

/** A text that is a task's whole name: one that was parsed, or a literal of that form. No path is one. */
export type TaskId = `${number}:${string}:${string}:${string}` & Brand<'task'>

/** The form of each part of a name. */
const PART = /^[A-Za-z0-9][A-Za-z0-9._+~@-]*$/

/** Longest name: with a token behind it and dots around, it still fits into the 255 bytes of a directory entry. */
export const NAME_MAX = 237

/** Digits of the largest number. */
const NUM_DIGITS = 15

export interface TaskName {
  /** The whole name. */
  readonly name: TaskId
  readonly num: number
  readonly project: string
  readonly version: string
  readonly arch: string
  /** The one host this task is for, if it is for one. */
  readonly host?: string
}

/** True if the text can stand as PROJECT, VERSION, ARCH or HOST. */
export const isPart = (text: string): boolean => PART.test(text)

/** The parts of a task's name, or undefined if the text is not one. */
export function parseTaskName(name: string): TaskName | undefined {
  if (name.length > NAME_MAX) return undefined
  const [num, project, version, arch, host, ...more] = name.split(':')
  if (!num || !/^(0|[1-9]\d{0,14})$/.test(num)) return undefined
  if (project === undefined || version === undefined || arch === undefined || more.length > 0)
    return undefined
  if (![project, version, arch].every(isPart) || (host !== undefined && !isPart(host))) return undefined
  return {
    name: name as TaskId,
    num: Number(num),
    project,
    version,
    arch,
    ...(host === undefined ? {} : { host }),
  }
}

/** True if the text is a task's whole name. */
export const isTaskId = (text: string): text is TaskId => parseTaskName(text) !== undefined

/** The number of a task by its name, of which nothing else is checked. Pure. */
export const numberOf = (name: string): number => Number(name.slice(0, name.indexOf(':')))

/** Orders tasks as they are numbered. */
export function compareByNumber(a: TaskName, b: TaskName): number {
  return a.num - b.num
}

/** How long VERSION may be, so that a task of the project for this `ARCH[:HOST]` has a name that fits. Pure. */
export function roomForVersion(project: string, target: string): number {
  return Math.min(100, NAME_MAX - NUM_DIGITS - `:${project}::${target}`.length)
}

/** The name of a task that differs from `task` by its number alone. */
export function renumber(num: number, task: TaskName): TaskId {
  return `${num}${task.name.slice(task.name.indexOf(':'))}` as TaskId
}

/** `ARCH` or `ARCH:HOST`, as an entry of $ARCHS. */
export function isTarget(text: string): boolean {
  const [arch, host, ...more] = text.split(':')
  return more.length === 0 && isPart(arch!) && (host === undefined || isPart(host))
}

/** The target of a task, `ARCH` or `ARCH:HOST`. */
export const targetOf = ({ arch, host }: { readonly arch: string; readonly host: string | null }): string =>
  host === null ? arch : `${arch}:${host}`

/** Makes a part of a name of any text: each byte that may not stand in one becomes `-`; of more than `max`, the end is kept. */
export function toPart(text: string | Buffer, max = 100): string {
  const mapped = Buffer.from(text as string)
    .toString('latin1')
    .replace(/[^A-Za-z0-9._+~@-]/g, '-')
  const tail = mapped.slice(-max)
  return PART.test(tail) ? tail : ('0' + tail).slice(0, max)
}
