// Runs git so that what it writes is on the disk when it says so.

import { once } from 'node:events'
import type { ChildProcess } from 'node:child_process'

import { ended, gitEnvironment, GitError, runGit as run, sentence, startGit } from '../git/process.ts'
import type { Ended, Start } from '../git/process.ts'

interface GitOptions {
  readonly input?: string | Buffer
  readonly env?: Readonly<Record<string, string | undefined>>
}

const DURABLE = ['-c', 'core.fsync=committed,loose-object,reference']

const startIn = (repository: string, env: GitOptions['env'] = {}): Start => ({
  place: repository,
  env: { ...gitEnvironment(), ...env },
})

/** Runs git in a repository to its end. Throws Fatal if git cannot be started. */
export const runGitIn = (
  repository: string,
  args: readonly string[],
  { input, env }: GitOptions = {},
): Promise<Ended & { readonly stdout: Buffer }> => run(startIn(repository, env), [...DURABLE, ...args], input)

/** Returns what git printed. Throws GitError with git's own sentence if it fails. */
export async function gitBytes(
  repository: string,
  args: readonly string[],
  options: GitOptions = {},
): Promise<Buffer> {
  const end = await runGitIn(repository, args, options)
  if (end.code !== 0) throw new GitError(sentence(end))
  return end.stdout
}

/** As `gitBytes`, as text without the line feed at its end. */
export async function gitOutput(...asked: Parameters<typeof gitBytes>): Promise<string> {
  return (await gitBytes(...asked)).toString().replace(/\n$/, '')
}

/** A git process that answers each question with a line, in order. */
export class Dialogue {
  readonly #child: ChildProcess
  readonly #end: Promise<Ended>
  readonly #waiting: { resolve: (line: string) => void; reject: (error: unknown) => void }[] = []
  #rest = ''

  constructor(repository: string, args: readonly string[]) {
    this.#child = startGit(startIn(repository), [...DURABLE, ...args], ['pipe', 'pipe', 'pipe'])
    this.#child.stdin!.on('error', () => undefined)
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop()!
      for (const line of lines) this.#waiting.shift()?.resolve(line)
    })
    this.#end = ended(this.#child)
    const fail = (error: unknown) => {
      for (const { reject } of this.#waiting.splice(0)) reject(error)
    }
    this.#end.then(end => fail(new GitError(sentence(end))), fail)
  }

  /** Writes to it; resolves when it takes more. Throws GitError if it has ended. */
  async write(data: string | Uint8Array): Promise<void> {
    const stdin = this.#child.stdin!
    if (stdin.write(data)) return
    await Promise.race([once(stdin, 'drain'), this.#ended()])
  }

  /** The next line that nobody waits for yet. */
  answer(): Promise<string> {
    const line = new Promise<string>((resolve, reject) => this.#waiting.push({ resolve, reject }))
    // The caller may look at it later than it fails.
    line.catch(() => undefined)
    return line
  }

  /** Ends it, and throws GitError if it is not content. */
  async close(): Promise<void> {
    this.#child.stdin!.end()
    const end = await this.#end
    if (end.code !== 0) throw new GitError(sentence(end))
  }

  /** Ends it after an error, by itself, and returns what it said of that and by which id it ran. */
  async abandon(): Promise<{ readonly pid: number | undefined; readonly stderr: string }> {
    this.#child.stdin!.end()
    const { stderr } = await this.#end.catch(() => ({ stderr: '' }))
    return { pid: this.#child.pid, stderr }
  }

  /** Ends it at once, after an error. */
  kill(): void {
    this.#end.catch(() => undefined)
    this.#child.kill()
  }

  async #ended(): Promise<never> {
    throw new GitError(sentence(await this.#end))
  }
}
