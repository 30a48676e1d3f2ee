// Who owns the runs of this repository that go on: one small file for each below `jci/` in the directory of git. It lets
// the next command end a run whose owner was killed. Runs that came from elsewhere have none, and are left alone.

import { mkdtempSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'

import { reasonOf } from '../../../lib/base/errno.ts'
import { makeDirectories, makeWritable } from '../../../lib/system/directories.ts'
import { warn } from '../../../lib/system/log.ts'
import { tryGit } from '../../../lib/git/process.ts'
import { listRuns, readStatuses } from '../runs/list.ts'
import type { Run } from '../runs/list.ts'
import type { RunName } from '../../../lib/jci/run-ref.ts'
import { refOf } from '../../../lib/jci/run-ref.ts'
import { replaceRun } from '../../../lib/jci/store.ts'
import { readIfThere, writeNew } from '../../../lib/system/durable.ts'
import { remove } from '../../../lib/system/remove.ts'
import { listIfThere } from '../../../lib/system/listing.ts'
import { isGone, processesWith, self } from '../../../lib/system/process.ts'
import type { Identity } from '../../../lib/system/process.ts'
import { writeEnded } from './ended.ts'
import { endRunRecord, writeStatus } from './record.ts'
import { ownFiles } from './repository.ts'

interface Owner extends RunName {
  readonly host: string
  readonly process: Identity
  /** A private directory that holds the output directory. */
  readonly directory: string
  /** The temporary worktree, if there is one. */
  readonly worktree?: string
}

const fileOf = (repository: string, run: string) => join(ownFiles(repository), `${run}.json`)

/** The output directory of a run. */
export const outputOf = (directory: string): string => join(directory, 'output')

/** Says that this process owns a run. False if another has one of the same name. */
export function own(repository: string, run: RunName, directory: string, worktree?: string): boolean {
  makeDirectories(ownFiles(repository))
  const owner = { ...run, host: hostname(), process: self(), directory, ...(worktree ? { worktree } : {}) }
  try {
    writeNew(fileOf(repository, run.run), JSON.stringify(owner satisfies Owner))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Nothing of the run is left here but its ref. */
export function disown(repository: string, run: string, directory: string, worktree?: string): void {
  if (worktree !== undefined) tryGit(repository, 'worktree', 'remove', '--force', '--force', worktree)
  remove(directory)
  remove(fileOf(repository, run))
}

/** Stores `err`, with what there is, for every run whose owner on this host is gone. */
export async function endDeadRuns(repository: string): Promise<void> {
  const directory = ownFiles(repository)
  for (const name of listIfThere(directory).filter(name => name.endsWith('.json'))) {
    const owner = parseOwner(readIfThere(join(directory, name)))
    if (!owner || owner.host !== hostname() || !isGone(owner.process)) continue
    try {
      await endRun(repository, owner)
    } catch (error) {
      warn('end the dead run', refOf(owner), error)
    }
  }
}

async function endRun(repository: string, owner: Owner): Promise<void> {
  const output = outputOf(owner.directory)
  killAll(output)
  await makeWritable(owner.directory)
  const stored = (await listRuns(repository, [owner.commit])).find(({ run }) => run === owner.run)
  const status = stored && (await readStatuses(repository, [stored.id])).get(stored.id)
  if (stored && status === 'running') {
    makeDirectories(output)
    writeStatus(output, 'err')
    endRunRecord(output, 'err (git-jci was killed, or could not store it)')
    await replaceRun(repository, stored, output).catch((error: unknown) =>
      explain(repository, stored, owner.directory, error),
    )
  }
  disown(repository, owner.run, owner.directory, owner.worktree)
}

/** Ends a run with the reason alone, where what it left cannot be stored: there may be no room for all of that, ever. */
async function explain(repository: string, run: Run, directory: string, why: unknown): Promise<void> {
  const output = mkdtempSync(join(directory, 'why-'))
  writeEnded(output, run, `it could not be stored: ${reasonOf(why)}`)
  await replaceRun(repository, run, output)
}

/** Kills every process that has this output directory in its environment: what a run started, and no other. */
export function killAll(output: string): void {
  for (const pid of processesWith(`JCI_OUTPUT_DIR=${output}`)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It is over.
    }
  }
}

/** Reads the file of an owner; undefined if it is no whole one. */
function parseOwner(text: string | undefined): Owner | undefined {
  try {
    const owner = JSON.parse(text ?? '') as Owner
    return typeof owner.directory === 'string' && owner.process.pid > 0 ? owner : undefined
  } catch {
    return undefined
  }
}
