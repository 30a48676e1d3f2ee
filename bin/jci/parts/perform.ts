// One run from its beginning to its ref: the states are in lib/INTERNALS.md.

import { mkdirSync, mkdtempSync, realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { lasting, quote } from '../../../lib/base/exit.ts'
import { counted } from '../../../lib/base/text.ts'
import { tryGit, git } from '../../../lib/git/process.ts'
import { drawRunId } from '../../../lib/jci/run-ref.ts'
import type { RunName } from '../../../lib/jci/run-ref.ts'
import { replaceRun, storeRun } from '../../../lib/jci/store.ts'
import type { Stored } from '../../../lib/jci/store.ts'
import { makeWritable } from '../../../lib/system/directories.ts'
import { remove } from '../../../lib/system/remove.ts'
import { say, warn } from '../../../lib/system/log.ts'
import { outliveOutput } from '../../../lib/system/print.ts'
import { inheritedEnvironment } from './environment.ts'
import { disown, endDeadRuns, outputOf, own } from './owners.ts'
import { writePage } from '../../../lib/jci/page.ts'
import { Record, writeStatus } from './record.ts'
import { findRepository, findTop, resolveCommit } from './repository.ts'
import { findRunner } from './find-runner.ts'
import type { RunOutcome } from './work.ts'

interface Wish {
  /** A revision to check out, instead of the work tree as it is. */
  readonly commit?: string | undefined
  /** Called when the run is stored as one that goes on, before anything is run, and when it is stored again at its end. */
  readonly onStored?: (repository: string) => Promise<void>
  /** Store a run also where there is nothing to run. */
  readonly always?: boolean
  /** PATH for what is run, if it is to be another than ours. */
  readonly path?: string
}

/** Runs what there is for a commit and stores it. Throws Fatal if nothing could be run or stored. */
export async function perform({
  commit: revision,
  onStored,
  always = false,
  path,
}: Wish): Promise<RunOutcome> {
  const repository = findRepository()
  const place = revision === undefined ? findTop() : repository
  const commit = resolveCommit(place, revision ?? 'HEAD')
  await endDeadRuns(repository)
  // Nothing is made where there is nothing to run; of a commit one cannot know before it is checked out.
  if (revision === undefined && !always) findRunner(place, place)
  const directory = mkdtempSync(join(realpathSync(tmpdir()), 'git-jci-'))
  const output = outputOf(directory)
  mkdirSync(output)
  const worktree = revision === undefined ? undefined : join(directory, 'worktree')
  const interrupt = new AbortController()
  const onSignal = (signal: NodeJS.Signals) => interrupt.abort(signal)
  for (const signal of SIGNALS) process.on(signal, onSignal)
  const run = takeName(repository, commit, directory, worktree)
  let begun: Stored | undefined
  try {
    if (worktree !== undefined) git(repository, 'worktree', 'add', '--quiet', '--detach', worktree, commit)
    const top = worktree ?? place
    // How whoever reads it knows what was to be run: of a worktree, or a directory in a container, nobody has heard.
    const shown = revision ?? (always ? commit : place)
    if (!always) findRunner(top, shown)
    writeStatus(output, 'running')
    // Its end is to be stored, also where the terminal is gone, or `head` has seen enough.
    outliveOutput()
    begun = await begin(repository, commit, run, output)
    await onStored?.(repository)
    const outcome = await recorded({ top, shown, commit, run, output, path }, interrupt.signal)
    await makeWritable(directory)
    await finish(repository, begun, output, outcome)
    begun = undefined
    await onStored?.(repository)
    return outcome
  } finally {
    // Its ref would say for ever that it runs: the next command ends it, as if we were killed.
    if (begun === undefined) disown(repository, run, directory, worktree)
    for (const signal of SIGNALS) process.off(signal, onSignal)
  }
}

/** Says what git could not do, as where the disk is full. */
const notStored = (run: string) => (error: unknown) => {
  throw lasting(`store the run ${quote(run)}`, error)
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Where it throws, nobody knows of the directory, which is removed. */
function takeName(repository: string, commit: string, directory: string, worktree?: string): string {
  try {
    for (;;) {
      const run = drawRunId(Date.now())
      if (own(repository, { commit, run }, directory, worktree)) return run
    }
  } catch (error) {
    remove(directory)
    throw error
  }
}

async function begin(repository: string, commit: string, run: string, output: string): Promise<Stored> {
  const stored = await storeRun(repository, commit, output, run).catch(notStored(run))
  if (stored) return stored
  throw lasting(`store the run ${quote(run)}`, 'its name is taken; run it again')
}

interface Plan extends RunName {
  readonly top: string
  /** What `top` is to those who read of it. */
  readonly shown: string
  readonly output: string
  readonly path: string | undefined
}

/** Runs what there is, with a record of what it says. */
async function recorded(
  { top, shown, commit, run, output, path }: Plan,
  stop: AbortSignal,
): Promise<RunOutcome> {
  const record = new Record(output, [`commit: ${commit}`, `run: ${run}`, `work tree: ${treeState(top)}`])
  const environment = {
    ...inheritedEnvironment(),
    ...(path === undefined ? {} : { PATH: path }),
    JCI_COMMIT: commit,
    JCI_REPO_ROOT: top,
    JCI_OUTPUT_DIR: output,
  }
  let outcome: RunOutcome
  try {
    const say = (bytes: Uint8Array) => record.add(bytes)
    outcome = await findRunner(top, shown)({ top, output, environment, say }, stop)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    record.add(Buffer.from(`git-jci: ${why}\n`))
    outcome = { ok: false, how: 'nothing was run' }
  }
  if (record.failure !== undefined)
    outcome = { ok: false, how: `its output could not be kept: ${record.failure}` }
  record.end(outcome.ok ? 'ok' : `err (${outcome.how})`)
  return outcome
}

/** Whether what is run is what was committed. */
function treeState(top: string): string {
  // Git writes what it finds into the index otherwise, and keeps a commit of the user out meanwhile.
  const changed = tryGit(top, '--no-optional-locks', 'status', '--porcelain')
  if (changed === undefined) return 'unknown'
  if (changed === '') return 'clean'
  return `dirty: ${counted(changed.split('\n').length, 'file')} ${changed.includes('\n') ? 'differ' : 'differs'} from the commit`
}

async function finish(repository: string, begun: Stored, output: string, { ok }: RunOutcome): Promise<void> {
  const status = ok ? 'ok' : 'err'
  writeStatus(output, status)
  try {
    writePage(output, begun, status)
  } catch (error) {
    warn('make', 'index.html', error)
    remove(join(output, 'index.html'))
  }
  const stored = await replaceRun(repository, begun, output).catch(notStored(begun.run))
  if (!stored) throw lasting(`store the run ${quote(begun.run)}`, `others have changed ${begun.ref}`)
  for (const path of stored.skipped.slice(0, 10)) say('warning', `not stored: ${quote(path)}`)
  if (stored.skipped.length > 10) say('warning', `not stored: ${stored.skipped.length - 10} more`)
  say('info', `stored ${status}: ${stored.ref}`)
}
