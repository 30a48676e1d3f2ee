// What the demos share: how they talk, and how they run what they show.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

import { EXIT, quote, temporary } from '../../lib/base/exit.ts'

/** How long anything may take to appear, in milliseconds. */
const PATIENCE = 30_000

export const say = (text: string): boolean => process.stdout.write(`${text}\n`)
export const show = (line: string, comment = ''): boolean => say(`$ ${line}${comment && `   ${comment}`}`)
export const tell = (what: string, path: string): boolean => say(`  ${what.padEnd(8)}${path}`)

/** The environment of a fresh login and `more`, so that no setting of this user or another spool matters. */
export function cleanEnvironment(more: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = ['PATH', 'HOME', 'USER', 'LANG', 'LC_ALL', 'TERM', 'TMPDIR', 'NO_COLOR']
  return { ...Object.fromEntries(kept.map(name => [name, process.env[name]])), ...more }
}

/** Runs a program on this terminal, without its standard output if `quiet`; returns its exit code. */
export async function runHere(
  cwd: string,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
  quiet?: 'quiet',
): Promise<number> {
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', quiet ? 'ignore' : 'inherit', 'inherit'], signal }) // prettier-ignore
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', code => resolve(code ?? EXIT.temporary))
  })
}

/** Returns the first result of `probe` that is not undefined. Throws Fatal, which names `log`, if there is none for too long. */
export async function eventually(
  what: string,
  probe: () => string | undefined,
  log: string,
  signal: AbortSignal,
): Promise<string> {
  const end = performance.now() + PATIENCE
  while (performance.now() < end) {
    const found = probe()
    if (found !== undefined) return found
    await sleep(20, undefined, { signal })
  }
  throw temporary(what, `nothing came of it for ${PATIENCE / 1000} s; ${quote(log)} may say why`)
}

/** Shows the pages, where there is something to show them on. */
export function openPages(url: string): void {
  tell('pages', url)
  if (!process.env['DISPLAY'] && !process.env['WAYLAND_DISPLAY']) return
  const opener = spawn('xdg-open', [url], { stdio: 'ignore', detached: true })
  // Without one, the address is there to be clicked.
  opener.on('error', () => undefined)
  opener.unref()
}

/** In a terminal, waits for Enter before the pages go. */
export async function enter(signal: AbortSignal): Promise<void> {
  if (!process.stdin.isTTY) return
  say('\nThe pages are still there: press Enter to end the demo.')
  process.stdin.resume()
  try {
    await once(process.stdin, 'data', { signal })
  } finally {
    process.stdin.pause()
  }
}
