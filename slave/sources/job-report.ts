// What a farmer is told of a job, and which of its files it is given: as the job's directory has it.

import { lstatSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'

import type { Path } from '../../lib/base/brand.ts'
import { FILES_MAX, isFilePath, JSON_MAX, NOTES_MAX } from '../../lib/farm/protocol.ts'
import type { JobFile, Result } from '../../lib/farm/protocol.ts'
import { JOB } from '../../lib/spool/job-files.ts'
import { warnOnce } from '../../lib/system/log.ts'
import { readJob } from '../../lib/view/view.ts'

/** The steps of a job, where they run, and the remarks on it. */
export function knownOf(job: Path): Pick<Result, 'steps' | 'about'> {
  const view = readJob(job)
  const notes = view?.notes.slice(0, NOTES_MAX) ?? []
  const about = { ...(view?.place ? { place: view.place } : {}), ...(notes.length > 0 ? { notes } : {}) }
  return { steps: view?.steps ?? [], ...(Object.keys(about).length > 0 ? { about } : {}) }
}

/** The regular files of a job that people read, the logs first: no more than a farmer takes. */
export function filesIn(job: Path): JobFile[] {
  const files: JobFile[] = []
  const walk = (directory: string) => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name)
      if (entry.isDirectory()) walk(path)
      else if (entry.isFile() && !entry.name.includes('\ufffd')) {
        files.push({ path: relative(job, path), size: lstatSync(path).size })
      }
    }
  }
  const there = readdirSync(job)
  for (const name of [JOB.steps, JOB.artifacts]) if (there.includes(name)) walk(join(job, name))
  for (const name of [JOB.environment, JOB.packages]) {
    if (there.includes(name)) files.push({ path: name, size: lstatSync(join(job, name)).size })
  }
  const wanted = files.filter(({ path, size }) => size > 0 || path.startsWith('artifacts/'))
  // A farmer refuses a list that has another one, or that is longer; that would be asked for again and again.
  let room = JSON_MAX / 2
  const taken = wanted
    .filter(({ path }) => isFilePath(path))
    .slice(0, FILES_MAX)
    .filter(file => (room -= Buffer.byteLength(JSON.stringify(file)) + 1) > 0)
  if (taken.length < wanted.length)
    warnOnce('store', `all ${wanted.length} files of a job`, `a farmer takes ${taken.length} of these names`)
  return taken
}
