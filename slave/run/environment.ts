// The environment of steps: nothing but what stands here. Pure.

import { join } from 'node:path'

import { optional, setting, words } from '../../lib/base/settings.ts'
import type { TaskName } from '../../lib/spool/task-name.ts'
import { mask } from './mask.ts'
import { temporaryOf } from './places/processes.ts'
import { JOB } from '../../lib/spool/job-files.ts'
import type { Environment } from '../../lib/base/settings.ts'

export interface StepEnvironment {
  readonly values: Readonly<Record<string, string>>
  /** The names of variables whose values are secret. */
  readonly secrets: readonly string[]
}

/** The facts of a task and its job that steps see in their environment. */
export interface StepFacts {
  readonly task: TaskName
  readonly host: string
  /** The commit, as `code-revision.txt` has it. */
  readonly revision: string
  /** The ref it was pushed to, as `ref.txt` has it; empty where the task does not say. */
  readonly ref: string
  /** The lines of the event, as `params.txt` has them. */
  readonly params: Readonly<Record<string, string>>
  /** The job's temporary directory. */
  readonly work: string
  /** A directory of this project, architecture and slot, which outlives the job. */
  readonly cache: string
  /** Why nothing of the task can be run, as `error.txt` has it: its Testfile has errors. */
  readonly fault?: string | undefined
}

/** The form of a variable's name. */
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/** Where things are in the temporary directory of a job. */
export const workPaths = (work: string) => ({
  code: join(work, 'code'),
  steps: join(work, 'steps'),
  home: join(work, 'home'),
  tmp: temporaryOf(work),
  artifacts: join(work, JOB.artifacts),
  pkg: join(work, JOB.packages),
})

/** The environment of a job's steps, from its task and the settings $STEP_ENV, $SECRETS, $PATH and $LANG. */
export function buildEnvironment(facts: StepFacts, settings: Environment = process.env): StepEnvironment {
  const { task, work } = facts
  const paths = workPaths(work)
  const secrets = words('SECRETS', settings).filter(name => VARIABLE_NAME.test(name))
  const passed = [...words('STEP_ENV', settings), ...secrets].filter(name => VARIABLE_NAME.test(name))
  const values: Record<string, string> = {
    PATH: setting('PATH', settings),
    HOME: paths.home,
    LANG: setting('LANG', settings),
    // The output of a step goes into a file.
    TERM: 'dumb',
    ...Object.fromEntries(
      Object.entries(facts.params)
        .filter(([key, value]) => VARIABLE_NAME.test(key) && !value.includes('\0'))
        .map(([key, value]) => [`BASS_PARAM_${key}`, value]),
    ),
    ...Object.fromEntries(passed.map(name => [name, optional(name, settings)] as const).filter(isSet)),
    // Variables that STEP_ENV cannot change.
    CI: 'true',
    TMPDIR: paths.tmp,
    BASS_TASK: task.name,
    BASS_PROJECT: task.project,
    BASS_VERSION: task.version,
    BASS_REVISION: facts.revision,
    BASS_REF: facts.ref,
    BASS_ARCH: task.arch,
    BASS_HOST: facts.host,
    BASS_STEPS: paths.steps,
    BASS_ARTIFACTS: paths.artifacts,
    BASS_CACHE: facts.cache,
  }
  return { values, secrets }
}

const isSet = (entry: readonly [string, string | undefined]): entry is [string, string] =>
  entry[1] !== undefined

/** The values that must not be seen. */
export function secretValues({ values, secrets }: StepEnvironment): string[] {
  return secrets.map(name => values[name] ?? '').filter(value => value !== '')
}

/** The content of `env.txt`: lines a shell can read again, secrets hidden. */
export function formatEnvironment(environment: StepEnvironment): string {
  const hidden = secretValues(environment)
  return Object.entries(environment.values)
    .map(
      ([name, value]) =>
        `${name}=${environment.secrets.includes(name) ? '***' : quoted(mask(value, hidden))}\n`,
    )
    .sort()
    .join('')
}

const quoted = (value: string) =>
  /^[\w@%+=:,./~*-]*$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`
