// The process of a step on this machine: started in its cage, asked to end, killed.

import type { ChildProcess } from 'node:child_process'
import { closeSync, writeSync } from 'node:fs'
import type { Readable } from 'node:stream'

import { isErrno, reasonOf } from '../../../lib/base/errno.ts'
import { Fatal, quote, temporary } from '../../../lib/base/exit.ts'
import type { ProcessEnd } from '../../../lib/spool/job-files.ts'
import { start } from '../../../lib/system/run.ts'
import { withUmaskAtStart } from '../../../lib/system/umask.ts'
import type { Cage } from './cage.ts'
import { whatIsMissing } from './missing.ts'
import type { StepCommand } from './place.ts'
import { signal } from './processes.ts'
import { StartedStep } from './started-step.ts'
import { become } from './step-user.ts'

/** The exit codes of a shell that cannot run a command: not found, or found and of no use. */
const [NOT_FOUND, NOT_EXECUTABLE] = [127, 126]

export class LocalProcess extends StartedStep {
  readonly #cage: Cage
  readonly #child: ChildProcess | undefined

  constructor(cage: Cage, step: StepCommand) {
    const { child, ended } = spawnIn(cage, step)
    super(ended)
    this.#cage = cage
    this.#child = child
  }

  protected override send(name: NodeJS.Signals): void {
    const pid = this.#child?.pid
    if (pid === undefined) return
    this.#cage.signal(pid, name)
    // The process that entered the cage for it stops when it does.
    if (name === 'SIGCONT') signal(pid, name)
  }

  protected override kill(): void {
    const pid = this.#child?.pid ?? 0
    // The process that entered the cage for it stands outside, and no namespace ends before such a parent of its processes has.
    if (pid > 0 && !this.over) signal(pid, 'SIGKILL')
    void this.#cage.clear(pid)
  }

  override async leave(): Promise<void> {
    await this.#cage.leave(this.#child?.pid ?? 0)
  }
}

/** Spawns a step in its cage. */
function spawnIn(
  cage: Cage,
  step: StepCommand,
): { readonly child: ChildProcess; readonly ended: Promise<ProcessEnd> } {
  const { user, ...asWeAre } = step
  const isSpawned = cage.becomes && user
  const command = [...cage.enter(step.directory, asUser(isSpawned ? asWeAre : step)), ...step.command]
  const child: ChildProcess = withUmaskAtStart(() =>
    start(command, {
      cwd: step.directory,
      ...(isSpawned ? { uid: user.uid, gid: user.gid } : {}),
      env: step.env,
      stdio: [step.stdin ?? 'ignore', step.stdout, step.stderr, ...(cage.tells ? (['pipe'] as const) : [])],
      detached: true,
    }),
  )
  const ended = new Promise<ProcessEnd>(done => {
    child.on('spawn', () => closeFiles(step))
    child.on('error', error => done(Promise.resolve(error).then(why => refused(step, why))))
    child.on('exit', (code, name) => done(name === null ? { code: code! } : { signal: name.slice(3) }))
  })
  if (child.pid !== undefined) cage.entered(child.pid, (child.stdio[3] ?? undefined) as Readable | undefined)
  return { child, ended }
}

/** Returns the prefix of a command that has the user and the limits of its step. */
export const asUser = ({ user, procs }: Pick<StepCommand, 'user' | 'procs'>): string[] => [
  ...(user ? become(user) : []),
  ...(procs === undefined ? [] : ['prlimit', `--nproc=${procs}`]),
]

/** Closes what `start` is to close. */
export const closeFiles = ({ stdin, stdout, stderr }: StepCommand) => {
  for (const fd of [stdin, stdout, stderr]) if (fd !== undefined) closeSync(fd)
}

/** A step that cannot be run has failed, and its log says why; if it is the system that lacks something, so do we. */
export function refused(step: StepCommand, error: unknown): ProcessEnd {
  const path = step.command.at(-1)!
  try {
    if (error instanceof Fatal) throw error
    if (isErrno(error, 'EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE')) throw temporary(`run ${quote(path)}`, error)
    const why = (isErrno(error, 'ENOENT') && whatIsMissing(path, step.directory)) || reasonOf(error)
    writeSync(step.stderr, `unable to run ${quote(path)}: ${why}\n`)
    return { code: isErrno(error, 'ENOENT') ? NOT_FOUND : NOT_EXECUTABLE }
  } finally {
    closeFiles(step)
  }
}
