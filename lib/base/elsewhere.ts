// Where the steps of a job run if not on the slave itself, and what a container may use, as settings say it. Pure.

import { lasting, quote } from './exit.ts'
import { optional, setting } from './settings.ts'
import type { Environment } from './settings.ts'

/** The image of a container, a machine that ssh reaches, or the slave itself, whatever the code asks for. */
export type Elsewhere = { readonly image: string } | { readonly host: string } | { readonly here: true }

/** The bounds of a container. */
export interface ContainerBounds {
  /** `none`, `private`, or the name of a network. */
  readonly network: string
  readonly cpus?: string
  readonly memory?: string
  readonly pids?: string
}

/** The settings that `readElsewhere` reads: one who sets any of them decides both. */
export const ELSEWHERE = ['IMAGE', 'RUN_IN'] as const

/** The settings that `readBounds` reads. */
export const BOUNDS = ['CONTAINER_NETWORK', 'CONTAINER_CPUS', 'CONTAINER_MEMORY', 'CONTAINER_PIDS'] as const

/** The file that names the image for the steps of the code, beside those, and its path in the code. */
export const IMAGE_NAME = 'image'
export const IMAGE_FILE = `.bass/${IMAGE_NAME}`

/** True for what an engine takes for an image, and not for an option. */
export const isImage = (text: string): boolean => /^[^-\s\0][^\s\0]{0,499}$/.test(text)

/** Reads IMAGE and RUN_IN; undefined if neither says anything. Throws a lasting Fatal if that makes no sense. */
export function readElsewhere(env: Environment): Elsewhere | undefined {
  const [image, runIn] = [optional('IMAGE', env), optional('RUN_IN', env)]
  if (image !== undefined && runIn !== undefined)
    throw lasting('read the settings', 'IMAGE and RUN_IN are both set, and steps run in one place')
  if (image !== undefined) {
    if (!isImage(image))
      throw lasting('read the setting IMAGE', `${quote(image)} is not the name of an image`)
    return { image }
  }
  if (runIn === undefined) return undefined
  if (runIn === 'here') return { here: true }
  if (!/^ssh:[^-\s]\S*$/.test(runIn))
    throw lasting('read the setting RUN_IN', `${quote(runIn)} is neither ssh:HOST nor here`)
  return { host: runIn.slice(4) }
}

const FORMS: Readonly<Record<(typeof BOUNDS)[number], readonly [RegExp, string]>> = {
  CONTAINER_NETWORK: [/^[A-Za-z0-9][\w.-]*$/, 'none, private, or the name of a network'],
  CONTAINER_CPUS: [/^\d{1,6}(\.\d{1,6})?$/, 'a number of processors such as 2 or 0.5'],
  CONTAINER_MEMORY: [/^\d{1,15}[bkmgBKMG]?$/, 'a size such as 512m or 4g'],
  CONTAINER_PIDS: [/^\d{1,9}$/, 'a whole number'],
}

function bound(name: (typeof BOUNDS)[number], env: Environment): string | undefined {
  const value = optional(name, env)
  const [form, what] = FORMS[name]
  if (value !== undefined && !form.test(value))
    throw lasting(`read the setting ${name}`, `${quote(value)} is not ${what}`)
  return value
}

/** How many threads an executor has at most, which a container's bound counts as processes. With few of them it hangs. */
export const EXECUTOR_THREADS = 20

/** Reads the settings CONTAINER_...; throws a lasting Fatal if one cannot be read. */
export function readBounds(env: Environment): ContainerBounds {
  const [cpus, memory, pids] = [
    bound('CONTAINER_CPUS', env),
    bound('CONTAINER_MEMORY', env),
    bound('CONTAINER_PIDS', env),
  ]
  // To an engine, 0 is no bound.
  if (pids !== undefined && Number(pids) > 0 && Number(pids) <= EXECUTOR_THREADS)
    throw lasting(
      'read the setting CONTAINER_PIDS',
      `${quote(pids)} leaves nothing for a command: what runs it there takes up to ${EXECUTOR_THREADS} itself`,
    )
  return {
    network: bound('CONTAINER_NETWORK', env) ?? setting('CONTAINER_NETWORK', env),
    ...(cpus === undefined ? {} : { cpus }),
    ...(memory === undefined ? {} : { memory }),
    ...(pids === undefined ? {} : { pids }),
  }
}
