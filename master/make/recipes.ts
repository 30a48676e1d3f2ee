// The tasks that one event becomes: a task for the steps that the code has, and one for each line of the Testfiles it concerns.

import { parseParams } from '../../lib/spool/event.ts'
import { GitError } from '../../lib/git/repository.ts'
import { NOTHING_TO_TEST } from '../../lib/testfile/check-name.ts'
import type { Check } from '../../lib/testfile/choose.ts'
import { commandScript } from '../../lib/testfile/script.ts'
import { makeBundle } from './bundle.ts'
import type { Bundle, Sources } from './bundle.ts'
import { checksOfEvent } from './checks.ts'
import type { Params } from './checks.ts'
import { oneStep, sayScript } from './one-step.ts'
import { hasTestfiles } from './testfiles.ts'
import { TASK } from '../../lib/spool/job-files.ts'

/** Equal tasks, one for each target. */
export interface Recipe {
  /** `ARCH` or `ARCH:HOST`. */
  readonly targets: readonly string[]
  readonly bundle: Bundle
}

interface Asked {
  readonly ref: string
  readonly revision: string
  readonly params: string
}

/** Makes, or finds, all that the tasks of a revision are made of. Throws GitError if the code is not to be had. */
export async function makeRecipes(
  sources: Sources,
  targets: readonly string[],
  asked: Asked,
): Promise<readonly Recipe[]> {
  // Both at once: each waits for git.
  const [whole, checks] = await Promise.all([
    makeBundle(sources, asked),
    checksOf(sources, asked.revision, parseParams(asked.params)),
  ])
  const recipes = checks.map(check => recipeOf(targets, whole, check))
  if (whole.hasSteps) return [{ targets, bundle: whole }, ...recipes]
  if (recipes.length > 0) return recipes
  // Without steps and without Testfiles there is something wrong, which its jobs will say.
  if (!(await hasTestfiles(sources.code, await idOf(sources, asked.revision))))
    return [{ targets, bundle: whole }]
  return [recipeOf(targets, whole, undefined)]
}

const checksOf = async (sources: Sources, revision: string, params: Params): Promise<Check[]> =>
  checksOfEvent(sources.code, await idOf(sources, revision), params)

async function idOf({ code }: Sources, revision: string): Promise<string> {
  const commit = await code.commit(revision)
  if (!commit) throw new GitError('no such commit')
  return commit.id
}

/** The task of a check, or that there is none. What needs no machine is said by one task alone. */
function recipeOf(targets: readonly string[], whole: Bundle, check: Check | undefined): Recipe {
  const make = (label: string, script: string, more: readonly [string, string][] = []): Bundle => ({
    ...whole,
    archives: new Map([...whole.archives].filter(([name]) => name !== TASK.steps)),
    texts: new Map<string, string | Buffer>([
      ...whole.texts,
      [TASK.steps, oneStep(script)],
      ['steps-revision.txt', whole.texts.get(TASK.revision)!],
      ['steps-version.txt', whole.texts.get('code-version.txt')!],
      [TASK.label, decoded(label) + '\n'],
      ...more,
    ]),
  })
  const one = targets.slice(0, 1)
  if (check === undefined)
    return { targets: one, bundle: make(NOTHING_TO_TEST.name, sayScript(NOTHING_TO_TEST.says, false)) }
  if ('error' in check) {
    const bundle = make(check.name, sayScript(check.error, true), [[TASK.error, decoded(check.error) + '\n']])
    return { targets: one, bundle }
  }
  return { targets, bundle: make(check.name, commandScript(check.directory, check.command)) }
}

/** Bytes, each one character, as text. */
const decoded = (bytes: string): string => Buffer.from(bytes, 'latin1').toString()
