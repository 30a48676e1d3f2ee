// `.jci/crontab`: lines of five fields or a word such as `@daily`, then optional `branch:X` and `name:Y`. Pure.

import { shellQuote } from '../../../lib/base/shell-quote.ts'

export interface Entry {
  /** Its line in the file, from 1. */
  readonly line: number
  readonly schedule: string
  readonly branch?: string
  readonly name?: string
}

export interface BadLine {
  readonly line: number
  readonly why: string
}

/** Reads the file; an empty line, or one that begins with `#`, is none. */
export function parseEntries(text: string): (Entry | BadLine)[] {
  return text.split('\n').flatMap((content, i) => {
    const words = content.trim().split(/\s+/)
    if (words[0] === '' || words[0]!.startsWith('#')) return []
    return [parseEntry(i + 1, words)]
  })
}

export const isBad = (line: Entry | BadLine): line is BadLine => 'why' in line

function parseEntry(line: number, words: readonly string[]): Entry | BadLine {
  const fields = words[0]!.startsWith('@') ? 1 : 5
  const schedule = words.slice(0, fields)
  if (schedule.length < fields || schedule.some(word => !/^@?[\w*,/~-]+$/.test(word))) {
    return { line, why: 'it begins with neither five fields nor a word such as @daily' }
  }
  const found: { branch?: string; name?: string } = {}
  for (const word of words.slice(fields)) {
    const [, key, value] = /^(branch|name):(.+)$/.exec(word) ?? []
    if (key === undefined) return { line, why: `'${word}' is neither branch:X nor name:Y` }
    if (found[key as 'name'] !== undefined) return { line, why: `${key}: is there twice` }
    found[key as 'name'] = value!
  }
  if (found.name !== undefined && !/^[\w.@+-]{1,64}$/.test(found.name)) {
    return { line, why: `'${found.name}' is no name: letters, digits and . _ @ + - are` }
  }
  // eslint-disable-next-line no-control-regex -- what git refuses in the name of a ref
  if (found.branch !== undefined && /^-|\.\.|@\{|[\x00-\x20~^:?*[\\\x7f]|\/$|\.lock$/.test(found.branch)) {
    return { line, why: `'${found.branch}' cannot be the name of a branch` }
  }
  return { line, schedule: schedule.join(' '), ...found }
}

export interface CronSite {
  /** The work tree. */
  readonly top: string
  /** The end of its lines: `# JCI:` and the SHA-256 of its path. */
  readonly mark: string
  /** The program, the directory of node, and the file that has what the last run said. */
  readonly program: string
  readonly node: string
  readonly log: string
}

/** The line of a crontab for an entry. It tests the tip of the branch in a worktree of its own. */
export function cronLine(
  { schedule, branch, name }: Entry,
  { top, mark, program, node, log }: CronSite,
): string {
  const commit = branch === undefined ? 'HEAD' : `refs/heads/${branch}`
  const run = `${shellQuote(program)} run --commit ${shellQuote(commit)} >${shellQuote(log)} 2>&1`
  const command = `cd ${shellQuote(top)} && PATH=${shellQuote(node)}:$PATH ${run}`
  // To cron a percent sign is the end of the command.
  return `${schedule} ${command.replaceAll('%', '\\%')} ${mark}${name === undefined ? '' : ` [${name}]`}`
}

/** A crontab with our lines in the place of those that were ours; all others stay as they are, byte for byte. */
export function replaceLines(crontab: string, lines: readonly string[], mark: string): string {
  const others = crontab.split(/(?<=\n)/).filter(line => !isOurs(line, mark))
  const rest = others.join('')
  if (lines.length === 0) return rest
  return `${rest}${rest === '' || rest.endsWith('\n') ? '' : '\n'}${lines.join('\n')}\n`
}

/** True for a line of a crontab that ends with our mark. */
export function isOurs(line: string, mark: string): boolean {
  const at = line.lastIndexOf(mark)
  return at > 0 && /^(?: \S.*)?\s*$/.test(line.slice(at + mark.length))
}
