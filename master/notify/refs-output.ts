// The files of a job that are stored as a commit: status.txt, run.output.txt, index.html, and its artifacts in a directory of their
// own, so that nothing a job left can stand in for what we say of it.

import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  lstatSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { cp } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { ignoringENOENT } from '../../lib/base/errno.ts'
import { counted, formatBytes, formatSeconds, harmless } from '../../lib/base/text.ts'
import { makeDirectories } from '../../lib/system/directories.ts'
import { writePage } from '../../lib/jci/page.ts'
import type { RunName } from '../../lib/jci/run-ref.ts'
import { MergedLog } from '../../lib/view/job-log.ts'
import type { Notice } from './notice.ts'
import { JOB, stepDirectory } from '../../lib/spool/job-files.ts'

/** The file that names the task. */
export const NAME_FILE = 'task.txt'

/** Bytes of the log, and bytes and files of the artifacts, that a repository is burdened with at most. */
const LOG = 16 << 20
const ARTIFACTS = { bytes: 100 << 20, files: 10_000 }

const RULE = '-'.repeat(72)

/** Writes the output of a job that is over into the new directory `output`. Throws the error of the file system. */
export async function writeOutput(
  output: string,
  jobAt: string,
  notice: Notice,
  name: RunName,
): Promise<void> {
  const { task } = notice
  const status = task.job?.verdict === 'success' ? 'ok' : 'err'
  makeDirectories(dirname(output))
  mkdirSync(output)
  const left = await copyArtifacts(join(jobAt, JOB.artifacts), join(output, 'artifacts'))
  writeFileSync(join(output, NAME_FILE), `${task.name}\n`)
  writeFileSync(join(output, 'status.txt'), `${status}\n`)
  await writeLog(join(output, 'run.output.txt'), jobAt, notice, left)
  writePage(output, name, status)
}

/** The logs of all steps, each in the order of time, between what is to be known of the job. */
async function writeLog(
  path: string,
  jobAt: string,
  { task, url }: Notice,
  left: string | undefined,
): Promise<void> {
  const fd = openSync(path, 'wx')
  let room = LOG
  const line = (text: string) => writeSync(fd, `${text}\n`)
  const time = (at: number | null | undefined) => (at == null ? 'unknown' : new Date(at).toISOString())
  const { job } = task
  try {
    line(`commit: ${task.revision}`)
    line(`task: ${task.name}`)
    if (task.ref !== null) line(`ref: ${harmless(task.ref)}`)
    if (url !== null) line(`page: ${url}`)
    line(`started: ${time(job?.claimed)}`)
    line(RULE)
    for (const { name } of job?.steps ?? []) {
      line(`== ${harmless(name)}`)
      for await (const lines of MergedLog.of(stepDirectory(jobAt, name)).read(true)) {
        for (const { text } of lines) {
          room -= Buffer.byteLength(text) + 1
          if (room >= 0) line(text)
        }
        if (room < 0) break
      }
    }
    if (room < 0) line(`(cut after ${formatBytes(LOG)}; the rest is in the spool)`)
    line(RULE)
    if (left !== undefined) line(left)
    if (job?.error != null) line(`error: ${harmless(job.error)}`)
    line(`ended: ${time(job?.ended)}`)
    if (job?.seconds != null) line(`duration: ${formatSeconds(job.seconds)}`)
    line(`result: ${job?.verdict === 'success' ? 'ok' : `err (${job?.verdict ?? 'unknown'})`}`)
  } finally {
    closeSync(fd)
  }
}

/** Copies artifacts, if there are any and they are not too many; then answers a sentence that says so. */
async function copyArtifacts(from: string, to: string): Promise<string | undefined> {
  if (ignoringENOENT(() => lstatSync(from))?.isDirectory() !== true) return undefined
  const room = { ...ARTIFACTS }
  measure(from, room)
  if (room.bytes < 0 || room.files < 0) {
    const most = `${formatBytes(ARTIFACTS.bytes)} or ${counted(ARTIFACTS.files, 'file')}`
    return `artifacts: left out, more than ${most}; they are in the spool`
  }
  await cp(from, to, {
    recursive: true,
    verbatimSymlinks: true,
    mode: constants.COPYFILE_FICLONE,
    filter: path => isKept(path),
  })
  return undefined
}

/** Takes what is below a directory from `room`; ends early when there is none left. */
function measure(directory: string, room: { bytes: number; files: number }): void {
  for (const name of readdirSync(directory)) {
    const stat = lstatSync(join(directory, name))
    room.files--
    if (room.files < 0 || room.bytes < 0) return
    if (stat.isDirectory()) measure(join(directory, name), room)
    else if (stat.isFile()) room.bytes -= stat.size
  }
}

/** Pipes and sockets are no artifacts. */
function isKept(path: string): boolean {
  const stat = lstatSync(path)
  return stat.isFile() || stat.isDirectory() || stat.isSymbolicLink()
}
