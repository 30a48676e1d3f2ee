// BASS_TRACE=FILE: where the time goes. A line is appended to FILE at each arrow of the tables in INTERNALS.md, and at what
// lies between, by every program that has the setting; chrome://tracing and Perfetto show it. The format is Chrome's
// array of events: `[` in the first line, then an object and a comma in each. It needs no end, so any number of
// processes may append, each line with one write of less than 4096 bytes.

import { linkSync, openSync, unlinkSync, writeFileSync, writeSync } from 'node:fs'
import { basename } from 'node:path'

import { isErrno } from '../base/errno.ts'
import { warn } from './log.ts'
import { optional } from '../base/settings.ts'

const file = optional('BASS_TRACE')

/** Notes this instant: `state` is what has been reached (`E1`, `T3`, `unpacked`), `what` the task or file that has. Without BASS_TRACE nothing. */
export const trace: (state: string, what: string) => void = file === undefined ? () => undefined : begin(file)

function begin(path: string): (state: string, what: string) => void {
  let fd: number
  try {
    makeOnce(path)
    fd = openSync(path, 'a')
  } catch (error) {
    warn('trace into', path, error)
    return () => undefined
  }
  const pid = process.pid
  let failed = false
  const write = (event: object) => {
    if (failed) return
    try {
      writeSync(fd, JSON.stringify(event) + ',\n')
    } catch (error) {
      // A diagnosis never fails what it watches.
      failed = true
      warn('trace into', path, error)
    }
  }
  write({ ph: 'M', name: 'process_name', pid, args: { name: basename(process.argv[1] ?? 'node', '.js') } })
  return (state, what) => {
    const ts = Math.round((performance.timeOrigin + performance.now()) * 1000)
    write({ ph: 'i', s: 'g', name: state, ts, pid, tid: pid, args: { what: what.slice(0, 500) } })
  }
}

/** The file is there with its first line, or not at all. */
function makeOnce(path: string): void {
  const mine = `${path}.${process.pid}`
  writeFileSync(mine, '[\n')
  try {
    linkSync(mine, path)
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error
  } finally {
    unlinkSync(mine)
  }
}
