// A channel that is the code repository itself: each job that is over becomes a commit under refs/jci-runs/, with its log,
// its page and its artifacts, and goes to the forge where that takes it. `git jci` and other tools of that layout read it.

import { createHash } from 'node:crypto'
import { join } from 'node:path'

import { reasonOf } from '../../lib/base/errno.ts'
import { lasting } from '../../lib/base/exit.ts'
import { choice, optional } from '../../lib/base/settings.ts'
import { forgeOf } from '../../lib/forge/parse-forge.ts'
import { gitAccess } from '../../lib/forge/open.ts'
import { environmentAt, runGit, sentence } from '../../lib/git/process.ts'
import { isRefusal, rejectionIn } from '../../lib/git/refusal.ts'
import { isCommitId } from '../../lib/git/commit-id.ts'
import { refOf } from '../../lib/jci/run-ref.ts'
import { storeRun } from '../../lib/jci/store.ts'
import { openSpool } from '../../lib/spool/spool.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { remove } from '../../lib/system/remove.ts'
import { warnOnce } from '../../lib/system/log.ts'
import { whereIs } from '../../lib/view/whereabouts.ts'
import { NAME_FILE, writeOutput } from './refs-output.ts'
import type { Channel, ChannelKind, OpenChannel } from './channel.ts'
import { NotYet, Refused } from './deliver.ts'
import type { Notice } from './notice.ts'

/** How often a notice is tried that a server or git refuses: over some 4 minutes. */
const REFS_TRIES = 8

/** How long a push may take, in milliseconds. */
const PUSH = 300_000

/** How long a forge is left alone that lets nobody in, in milliseconds. */
const SHUT_PAUSE_MS = 300_000

/** Runs of one commit that end in one second, and draw the same 16 bits: more of them than anybody meets. */
const DRAWS = 64

/** Git asks nobody for anything. */
const QUIETLY = {
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: 'true',
  GIT_SSH_COMMAND: process.env['GIT_SSH_COMMAND'] ?? 'ssh -o BatchMode=yes -o ConnectTimeout=20',
}

export const refs: ChannelKind = {
  name: 'refs',
  read({ project, env }): Channel[] {
    if (choice('NOTIFY_REFS', ['yes', 'no'], env) === 'no') return []
    // Of the project's directory in notices, `refs` is taken: it holds how its branches were.
    return [{ project, kind: 'refs', name: 'jci-runs', target: env['PROJ'] ?? '', policy: 'all' }]
  },
  open(_channel, env, directory): OpenChannel {
    const repository = optional('PROJ', env)
    if (repository === undefined) throw lasting('store jobs as refs', 'PROJ is not set')
    const spool = openSpool()
    // One courier tells one notice at a time: what lies there is of one that was killed.
    const output = join(directory, 'output')
    const door: Door = { heldUntil: 0 }
    return {
      deliver: async notice => {
        const { task, stage } = notice
        if (stage !== 'over' || task.revision === null || !isCommitId(task.revision)) return
        try {
          const ref = await store(spool, repository, notice, output)
          if (ref !== undefined) await share(repository, ref, env, door)
        } finally {
          remove(output)
        }
      },
      tries: REFS_TRIES,
    }
  },
}

/** Stores a job under a ref that its notice determines, once; returns the ref, or undefined if the job is gone. */
async function store(
  spool: Spool,
  repository: string,
  notice: Notice,
  output: string,
): Promise<string | undefined> {
  const { task, id, at } = notice
  const commit = task.revision!
  const jobAt = whereIs(spool, task.name)?.jobAt
  if (jobAt === undefined) return undefined
  const seconds = Math.floor((task.job?.claimed ?? at ?? 0) / 1000)
  for (let draw = 0; draw < DRAWS; draw++) {
    const digits = createHash('sha256').update(`${id} ${draw}`).digest('hex').slice(0, 4)
    const name = { commit, run: `${seconds}-${digits}` }
    const ref = refOf(name)
    const before = await ownerOf(repository, ref)
    // It was stored, and we were killed, or the forge was away, before that was written down.
    if (before === task.name) return ref
    if (before !== undefined) continue
    remove(output)
    await writeOutput(output, jobAt, notice, name)
    try {
      if (await storeRun(repository, commit, output, name.run)) return ref
    } catch (error) {
      throw new Error(`git stores nothing: ${reasonOf(error)}`, { cause: error })
    }
  }
  throw new Refused('every name for it is taken')
}

/** The task whose job a ref holds; empty if it holds something else, undefined if it is not there. */
async function ownerOf(repository: string, ref: string): Promise<string | undefined> {
  const start = { place: repository, env: environmentAt(repository) }
  const there = await runGit(start, ['rev-parse', '--verify', '--quiet', ref])
  if (there.code === 1) return undefined
  if (there.code !== 0) throw new Error(sentence(there))
  const file = await runGit(start, ['cat-file', 'blob', `${ref}:${NAME_FILE}`])
  return file.code === 0 ? file.stdout.toString().trim() : ''
}

/** Until when a forge that let nobody in is left alone, by the monotonic clock. */
interface Door {
  heldUntil: number
}

/**
 * Pushes one ref to the project's forge, where it has one. A token that has run out or may not push is wrong for all: what is stored
 * here waits until somebody mends it, and holds up nothing that is still to be stored.
 */
async function share(repository: string, ref: string, env: NodeJS.ProcessEnv, door: Door): Promise<void> {
  const forge = forgeOf(env)
  if (!forge) return
  const held = door.heldUntil - performance.now()
  if (held > 0) throw new NotYet('the forge lets nobody in', held)
  const access = await gitAccess(forge, env)
  const end = await runGit(
    {
      place: repository,
      env: { ...environmentAt(repository), ...QUIETLY, ...access },
      signal: AbortSignal.timeout(PUSH),
    },
    ['push', '--quiet', '--no-verify', '--end-of-options', forge.cloneUrl, `${ref}:${ref}`],
  )
  if (end.code === 0) return
  // That something was not pushed is said last; why, before.
  const rejected = rejectionIn(end.stderr)
  const why = rejected ?? sentence(end)
  if (rejected !== undefined) throw new Refused(`${forge.cloneUrl}: ${why}`)
  if (!isRefusal(end.stderr)) throw new Error(`${forge.cloneUrl}: ${why}`)
  warnOnce('push runs to', forge.cloneUrl, why)
  door.heldUntil = performance.now() + SHUT_PAUSE_MS
  throw new NotYet(why, SHUT_PAUSE_MS)
}
