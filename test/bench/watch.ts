// A program that runs to its end, watched.

import { spawn } from 'node:child_process'

export type Env = Record<string, string | undefined>

/** Runs a program; answers when its first byte came and when it had ended, and how many there were. */
export function watch([program, ...args]: readonly string[], env: Env = process.env) {
  const began = performance.now()
  const child = spawn(program!, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let [first, bytes] = [0, 0]
  child.stdout.on('data', (data: Buffer) => {
    first ||= performance.now() - began
    bytes += data.length
  })
  return new Promise<{ first: number; took: number; bytes: number }>((done, fail) => {
    child.on('error', fail)
    child.on('close', code => {
      if (code === 0) done({ first, took: performance.now() - began, bytes })
      else fail(new Error(`${program!}: exit ${code ?? '?'}`))
    })
  })
}
