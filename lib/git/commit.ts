// Authors and subjects of commits, from the code repository: they are not in the spool. Where the repository cannot be
// read, or a revision is gone from it, there is nothing to say, and that is no error.

import { TextDecoder } from 'node:util'

import { tolerating } from '../base/errno.ts'
import { Objects } from './objects.ts'
import { gitEnvironment, startGit } from './process.ts'

export interface CommitView {
  readonly revision: string
  readonly author: string
  readonly email: string
  readonly subject: string
  /** When it was written, in milliseconds since 1970. */
  readonly time: number
}

/** The author, subject and times of a commit. */
export interface CommitFields {
  readonly author: string
  readonly email: string
  /** When it was written, in seconds since 1970. */
  readonly authored: number
  /** When it was committed, in seconds since 1970. */
  readonly committed: number
  /** The id of its tree. */
  readonly tree: string
  readonly subject: string
}

/** So many bytes of a commit are looked at: more than its header and the first line of any sensible message. */
export const COMMIT_MAX = 256 * 1024

/** Longest line of a header that names a person, and longest subject, in bytes. */
const LINE_MAX = 4096

/** The commits among `revisions` that the repository has, by revision. One process, however many there are. */
export async function readCommits(
  repository: string,
  revisions: readonly string[],
): Promise<Map<string, CommitView>> {
  const asked = [...new Set(revisions)].filter(revision => /^[0-9a-f]{40,64}$/.test(revision))
  const commits = new Map<string, CommitView>()
  if (asked.length === 0) return commits
  const start = { place: repository, env: gitEnvironment() }
  const objects = new Objects(() => startGit(start, ['cat-file', '--batch'], ['pipe', 'pipe', 'pipe']))
  await Promise.allSettled(
    asked.map(async revision => {
      const object = await objects.look(revision, COMMIT_MAX)
      if (object?.type !== 'commit') return
      const { author, email, subject, authored } = parseCommit(object.body)
      commits.set(revision, { revision, author, email, subject, time: authored * 1000 })
    }),
  )
  objects.close()
  // In the order in which they were asked for.
  return new Map(asked.filter(revision => commits.has(revision)).map(id => [id, commits.get(id)!]))
}

/** Reads the beginning of a commit object, in the encoding that it names. Takes time in proportion to its length. Pure. */
export function parseCommit(body: Buffer): CommitFields {
  const end = body.indexOf('\n\n')
  const header = end < 0 ? body : body.subarray(0, end)
  const field = (name: string) => fieldOf(header, name)
  const decode = decoderOf(field('encoding')?.toString('latin1'))
  const author = parsePerson(field('author'), decode)
  const message = end < 0 ? Buffer.alloc(0) : body.subarray(end + 2)
  return {
    author: author.name,
    email: author.email,
    authored: author.time,
    committed: parsePerson(field('committer'), decode).time,
    tree: field('tree')?.toString('latin1') ?? '',
    subject: decode(lineAt(message, 0)),
  }
}

/** The first line of a header with this name; what continues a line begins with a blank, and is passed over. */
function fieldOf(header: Buffer, name: string): Buffer | undefined {
  const isFirst = header.toString('latin1', 0, name.length + 1) === `${name} `
  const before = isFirst ? -1 : header.indexOf(`\n${name} `)
  if (!isFirst && before < 0) return undefined
  return lineAt(header, before + 1).subarray(name.length + 1)
}

function lineAt(bytes: Buffer, at: number): Buffer {
  const end = bytes.indexOf(0x0a, at)
  return bytes.subarray(at, Math.min(end < 0 ? bytes.length : end, at + LINE_MAX))
}

/** `NAME <EMAIL> SECONDS ZONE`, read from both ends, as git does: a name may hold anything else. */
function parsePerson(line: Buffer | undefined, decode: (bytes: Buffer) => string) {
  const text = line ?? Buffer.alloc(0)
  const open = text.indexOf('<')
  const close = text.lastIndexOf('>')
  if (open < 0 || close < open) return { name: decode(text).trim(), email: '', time: 0 }
  const [, seconds] = /^ *(\d{1,15}) /.exec(text.toString('latin1', close + 1) + ' ') ?? []
  return {
    name: decode(text.subarray(0, open)).trim(),
    email: decode(text.subarray(open + 1, close)),
    time: Number(seconds ?? 0),
  }
}

/** Decodes text in a named encoding; in UTF-8 if none is named, or one that nobody knows. */
function decoderOf(encoding = 'utf-8'): (bytes: Buffer) => string {
  const decoder =
    tolerating(['ERR_ENCODING_NOT_SUPPORTED'], () => new TextDecoder(encoding)) ?? new TextDecoder()
  return bytes => decoder.decode(bytes)
}
