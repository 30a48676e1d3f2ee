// What a farmer is told of a job, and which of its files it is given: as the job's directory has it.

import { lstatSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'

import type { Path } from '../../lib/base/brand.ts'
import { quote } from '../../lib/base/exit.ts'
import { FILES_MAX, isFilePath, JSON_MAX, NOTES_MAX, PATH_MAX } from '../../lib/farm/protocol.ts'
import type { JobFile, Result } from '../../lib/farm/protocol.ts'
import { JOB } from '../../lib/spool/job-files.ts'
import { readJob } from '../../lib/view/view.ts'

/** The steps of a job, where they run, and the remarks on it, `more` first. */
export function knownOf(job: Path, more: readonly string[] = []): Pick<Result, 'steps' | 'about'> {
  const view = readJob(job)
  const notes = [...more, ...(view?.notes ?? [])].slice(0, NOTES_MAX)
  const about = { ...(view?.place ? { place: view.place } : {}), ...(notes.length > 0 ? { notes } : {}) }
  return { steps: view?.steps ?? [], ...(Object.keys(about).length > 0 ? { about } : {}) }
}

/** The regular files of a job that people read, the logs first: no more than a farmer takes, with a remark on the others. */
export function filesIn(job: Path): { readonly files: JobFile[]; readonly notes: readonly string[] } {
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
  const kept = new Set(taken)
  const leftOut = wanted.filter(file => !kept.has(file))
  if (leftOut.length === 0) return { files: taken, notes: [] }
  const what = `${leftOut.length} of ${wanted.length} files are left out, such as ${quote(leftOut[0]!.path.slice(0, 200))}`
  const why = `a farmer takes ${FILES_MAX} at most, with names of plain text and paths of at most ${PATH_MAX} bytes`
  return { files: taken, notes: [`${what}: ${why}`] }
}
