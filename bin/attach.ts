// bass attach: where a job runs, or what is kept of it, on the host that has it.

import { join } from 'node:path'

import { command } from '../lib/system/command.ts'
import { readIfThere } from '../lib/system/durable.ts'
import { runSync } from '../lib/system/run.ts'
import { EXIT, lasting, quote } from '../lib/base/exit.ts'
import { findOne } from './views/find-task.ts'
import { setting } from '../lib/base/settings.ts'
import { shellQuote } from '../lib/base/shell-quote.ts'
import { isPart } from '../lib/spool/task-name.ts'
import { readView } from '../lib/view/view.ts'
import { JOB } from '../lib/spool/job-files.ts'
import { openSpoolHere } from './views/open.ts'

/** Goes to the directory $1: into its tmux if that lives, else a shell in the code. */
const ENTER = `cd -- "$1" 2>/dev/null || {
  echo "bass: fatal: unable to enter '$1': it is gone; a failed job is kept for FAILED_JOB_WAITTIME" >&2
  exit 100
}
[ ! -x tmux ] || ! ./tmux 2>/dev/null || exit 0
[ ! -d code ] || cd code
exec "\${SHELL:-sh}"`

export const verb = command(
  {
    name: 'bass attach',
    usage: 'TASK',
    operands: [1, 1],
    about: `Goes to where a job runs: its tmux, or a shell in its directory, also in the kept one of a failed job.

TASK is a number, a name, a revision or its beginning, PROJECT[/REF], or 'last'. If the job is of
another host, it goes there with ssh. There is a tmux where the taker has JOB_TMUX=yes; the
directory of a failed job is kept for FAILED_JOB_WAITTIME. 'bass shell TASK' needs neither. Exits as
tmux, the shell or ssh does.`,
    environment: { SPOOL: 'the spool', HOST: 'the name of this host', SHELL: 'the shell to start' },
  },
  ([text]) => {
    const where = findOne(openSpoolHere(), text!)
    const view = readView(where)
    const fail = (why: string) => lasting(`attach to ${quote(where.task.name)}`, why)
    const path = where.jobAt && readIfThere(join(where.jobAt, JOB.work))?.replace(/\n$/, '')
    if (!path) throw fail(view?.state === 'waiting' ? 'it has not started' : 'its job names no directory')
    const host = view?.job?.host ?? ''
    if (!isPart(host)) throw fail('its job names no host')
    const command =
      host === setting('HOST')
        ? ['sh', '-c', ENTER, 'sh', path]
        : ['ssh', '-t', host, `sh -c ${shellQuote(ENTER)} sh ${shellQuote(path)}`]
    return runSync(command, { stdio: 'inherit' }).code ?? EXIT.temporary
  },
)
