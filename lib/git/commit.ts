// What the code repository says of revisions: author and subject are not in the spool. Where the repository is not
// to be read, or a revision is gone from it, there is nothing to say, and that is no error.

import { spawn } from 'node:child_process'

import { gitEnvironment } from './git-environment.ts'

export interface CommitView {
  readonly revision: string
  readonly author: string
  readonly email: string
  readonly subject: string
  /** When it was written, in milliseconds since 1970. */
  readonly time: number
}

/** The commits among `revisions` that the repository has, by revision. One process, however many there are. */
export async function readCommits(
  repository: string,
  revisions: readonly string[],
): Promise<Map<string, CommitView>> {
  const asked = [...new Set(revisions)].filter(revision => /^[0-9a-f]{40,64}$/.test(revision))
  if (asked.length === 0) return new Map()
  return parseCommits(await catFile(repository, asked.join('\n') + '\n'))
}

function catFile(repository: string, input: string): Promise<Buffer> {
  return new Promise(done => {
    const git = spawn('git', ['-C', repository, 'cat-file', '--batch'], {
      env: gitEnvironment(),
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    const chunks: Buffer[] = []
    git.on('error', () => done(Buffer.alloc(0)))
    git.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
    git.on('close', () => done(Buffer.concat(chunks)))
    // It may be no repository: then git ends before it has read anything.
    git.stdin.on('error', () => undefined)
    git.stdin.end(input)
  })
}

/** Reads what `git cat-file --batch` prints: `ID commit SIZE`, the object, a line feed; or `ID missing`. Pure. */
function parseCommits(output: Buffer): Map<string, CommitView> {
  const commits = new Map<string, CommitView>()
  for (let at = 0; at < output.length;) {
    const end = output.indexOf('\n', at)
    if (end < 0) break
    const [revision, type, size] = output.toString('latin1', at, end).split(' ')
    at = end + 1
    if (size === undefined) continue
    const object = output.toString('utf8', at, at + Number(size))
    at += Number(size) + 1
    const commit = type === 'commit' ? parseCommit(revision!, object) : undefined
    if (commit) commits.set(commit.revision, commit)
  }
  return commits
}

function parseCommit(revision: string, object: string): CommitView | undefined {
  const author = /^author (.*) <(.*)> (\d+) [-+]\d+$/m.exec(object)
  if (!author) return undefined
  const message = object.slice(object.indexOf('\n\n') + 2)
  const subject = message.split('\n', 1)[0]!
  return { revision, author: author[1]!, email: author[2]!, subject, time: Number(author[3]) * 1000 }
}
