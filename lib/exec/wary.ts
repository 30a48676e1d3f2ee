// What an executor may say. It may be another program than ours: in a container, a command that runs as root can take it over.
// Pure.

import { constants } from 'node:os'

import { EXIT, Fatal } from '../base/exit.ts'
import type { Offsets, TaskLog, TaskOutput, TaskResult } from './protocol.ts'

/** Most characters of a sentence that is passed on. */
export const SENTENCE_MAX = 500

/** Most names that a result may tell as deleted. */
export const DELETED_MAX = 1_000_000

/** An executor says what none of ours does. */
export class Nonsense extends Fatal {
  constructor(what: string) {
    super(EXIT.temporary, 'understand the executor', what)
  }
}

/** A piece of output that follows on what has arrived; throws Nonsense if it does not. */
export function checkOutput(
  { stream, offset, data }: TaskOutput,
  arrived: Offsets,
): { stream: 1 | 2; data: Buffer } {
  if (stream !== 1 && stream !== 2) throw new Nonsense(`it says something on the stream ${stream}`)
  const before = stream === 1 ? arrived.stdout : arrived.stderr
  if (offset !== before)
    throw new Nonsense(`byte ${offset} of the stream ${stream} follows on ${before} bytes`)
  return { stream, data }
}

/** Text of one line that is shown to people: the caller takes control characters out. */
export const briefLog = ({ time, level, message, attributes }: TaskLog): TaskLog => ({
  time,
  level: level.slice(0, 20),
  message: message.slice(0, SENTENCE_MAX),
  attributes: Object.fromEntries(
    Object.entries(attributes)
      .slice(0, 10)
      .map(([name, value]) => [name.slice(0, 50), value.slice(0, SENTENCE_MAX)]),
  ),
})

/** A result as a process can have it; throws Nonsense. */
export function checkResult(result: TaskResult): TaskResult {
  const { exitCode, signal, archive, archiveSha256 } = result
  if (exitCode < 0 || exitCode > 255) throw new Nonsense(`a command cannot exit with ${exitCode}`)
  if (signal !== '' && !(`SIG${signal}` in constants.signals))
    throw new Nonsense(`there is no signal ${signal.slice(0, 20)}`)
  if (archive !== '' && archiveSha256.length !== 32) throw new Nonsense('an archive without a checksum')
  return { ...result, error: result.error.slice(0, SENTENCE_MAX) }
}
