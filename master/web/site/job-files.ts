// The files of jobs as pages show them, wherever they are kept: with the spool, or in the store of a farm.

import type { Bytes, StepLog } from '../../../lib/view/bytes.ts'
import { openStepLog } from '../../../lib/view/bytes.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import type { Watch } from '../../../lib/system/watch.ts'

export interface JobFiles {
  /** Opens a file of a job, as `steps/STEP/stdout.txt` or `artifacts/report.html`; undefined if there is none. */
  open(view: TaskView, path: string): Promise<Bytes | undefined>
  /** The entries of a directory of artifacts, `` or `a/b`: directories first, then by name; undefined if there is none. */
  list(view: TaskView, path: string): Promise<readonly Artifact[] | undefined>
  /** Rings when there may be more of the log of a step. The caller closes it. */
  watch(view: TaskView, step: string): Promise<Watch>
}

export interface Artifact {
  readonly name: string
  /** In bytes; null for a directory. */
  readonly size: number | null
}

/** The log of a step; the name is one that the view of its job has. */
export const openLog = (files: JobFiles, view: TaskView, step: string): Promise<StepLog> =>
  openStepLog(file => files.open(view, `steps/${step}/${file}`))

/** The files below a directory of artifacts, by path, in the order of a walk; `most` bounds how many. */
export async function* filesBelow(
  files: JobFiles,
  view: TaskView,
  most = Infinity,
  path = '',
): AsyncGenerator<{ readonly path: string; readonly bytes: number }> {
  let left = most
  const directories = [path]
  for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
    const below: string[] = []
    for (const { name, size } of (await files.list(view, directory)) ?? []) {
      const place = directory === '' ? name : `${directory}/${name}`
      if (size === null) below.push(place)
      else if (left-- > 0) yield { path: place, bytes: size }
      else return
    }
    directories.push(...below.reverse())
  }
}
