// Reads a job's files for people, wherever these are kept: in a spool, or in the store of a farm.

import { openPlain } from '../system/plain.ts'
import { STEP } from '../spool/job-files.ts'

/** Bytes that can be read from any place, as many as there were when they were opened. The caller closes them. */
export interface Bytes {
  /** Where what is here begins; 0 if absent. What runs on another machine may be here from near its end on only. */
  readonly begin?: number
  /** Where it ends. */
  readonly size: number
  /** The bytes from `at` on, at most `length`; none at the end. */
  read(at: number, length: number): Promise<Buffer>
  close(): Promise<void>
}

/** The two streams of a step's log. One that is not there is empty. */
export interface StepLog {
  readonly out: Bytes | undefined
  readonly err: Bytes | undefined
}

/** A regular file; undefined if there is none of that path. Throws any other error. */
export async function fileBytes(path: string | Buffer): Promise<Bytes | undefined> {
  const file = await openPlain(path)
  if (!file) return undefined
  try {
    const { size } = await file.stat()
    return {
      size,
      read: async (at, length) => {
        const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(length, size - at)))
        const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
        return buffer.subarray(0, bytesRead)
      },
      close: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Opens both streams of a step; `open` opens a file of the step's directory. */
export async function openStepLog(open: (file: string) => Promise<Bytes | undefined>): Promise<StepLog> {
  const out = await open(STEP.stdout)
  try {
    return { out, err: await open(STEP.stderr) }
  } catch (error) {
    await out?.close()
    throw error
  }
}

export async function closeStepLog({ out, err }: StepLog): Promise<void> {
  await out?.close()
  await err?.close()
}
