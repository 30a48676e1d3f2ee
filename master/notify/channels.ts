// Whom each project of a spool tells how its jobs end: what NOTIFY_MAIL and NOTIFY_WEBHOOK of its settings say, and the
// programs in its notify.d.

import { createHash } from 'node:crypto'
import { statSync } from 'node:fs'
import { basename, join } from 'node:path'

import { listIfThere } from '../../lib/system/listing.ts'
import { ignoringENOENT } from '../../lib/base/errno.ts'
import { lasting, quote } from '../../lib/base/exit.ts'
import { warn } from '../../lib/system/log.ts'
import { optional, words } from '../../lib/base/settings.ts'
import { projectFiles, settingsOfProject } from '../../lib/conf/sourced.ts'
import { isPart, toPart } from '../../lib/spool/task-name.ts'

const POLICIES = ['all', 'failures', 'changes'] as const
/** All there is; what did not succeed; the first failure of a ref and architecture, and when that is mended. */
export type Policy = (typeof POLICIES)[number]

export interface Channel {
  readonly project: string
  /** Its directory in the spool, and what messages call it: there is no secret in it. */
  readonly name: string
  readonly kind: 'mail' | 'webhook' | 'program'
  /** The address, the URL, or the path of the program. */
  readonly target: string
  readonly policy: Policy
}

export interface Project {
  readonly name: string
  readonly env: NodeJS.ProcessEnv
  readonly channels: readonly Channel[]
}

/** The projects of the spool `root` whose settings can be read; what is wrong with the others is said. */
export function projectsWithChannels(root: string, env: NodeJS.ProcessEnv): Project[] {
  const files = projectFiles(root)
  // A site with one project may have no file for it.
  const lonely = files.size === 0 ? optional('REVS', env) : undefined
  const names = lonely === undefined ? [...files.keys()] : [basename(lonely)]
  return names.flatMap(name => {
    try {
      const rc = files.get(name)
      const settings = rc === undefined ? env : settingsOfProject(env, rc)
      return [{ name, env: settings, channels: channelsOf(name, programsOf(root, name), settings) }]
    } catch (error) {
      warn('read the channels of', name, error)
      return []
    }
  })
}

/** A text that becomes another one when a file of `projectsWithChannels` does. */
export function stateOfSettings(root: string): string {
  const files = [...projectFiles(root)].flatMap(([name, rc]) => {
    const programs = programsOf(root, name)
    return [rc, programs, ...listIfThere(programs).map(file => join(programs, file))]
  })
  return files.map(path => `${path} ${ignoringENOENT(() => statSync(path))?.ctimeMs ?? ''}\n`).join('')
}

const programsOf = (root: string, project: string) => join(root, 'conf', project, 'notify.d')

/** The channels of a project, whose programs are in `directory`. */
export function channelsOf(project: string, directory: string, env: NodeJS.ProcessEnv): Channel[] {
  const mails = words('NOTIFY_MAIL', env).map((word): Channel => {
    const { policy, target } = policyOf(word)
    if (!/^[^\s@:;,<>"]+@[A-Za-z0-9.-]+$/.test(target))
      throw odd('NOTIFY_MAIL', quote(word), 'ada@example.org')
    return { project, kind: 'mail', target, policy, name: `mail-${named(target, target)}` }
  })
  const webhooks = words('NOTIFY_WEBHOOK', env).map((word): Channel => {
    const { policy, target } = policyOf(word)
    const url = URL.canParse(target) ? new URL(target) : undefined
    // The word is not repeated: the path of such an address is often all that keeps strangers out.
    if (!url || !/^https?:$/.test(url.protocol))
      throw odd('NOTIFY_WEBHOOK', 'a word', 'https://example.org/x')
    return { project, kind: 'webhook', target, policy, name: `webhook-${named(url.hostname, target)}` }
  })
  const programs = listIfThere(directory)
    .filter(file => isPart(file) && isProgram(join(directory, file)))
    .map((file): Channel => {
      const policy = POLICIES.find(policy => file.endsWith(`.${policy}`)) ?? 'changes'
      return {
        project,
        kind: 'program',
        target: join(directory, file),
        policy,
        name: `program-${named(file, file)}`,
      }
    })
  const channels = [...mails, ...webhooks, ...programs]
  const twice = channels.find(({ name }, i) => channels.findIndex(other => other.name === name) < i)
  if (twice) throw lasting(`tell ${quote(twice.name)}`, 'it is named twice')
  return channels
}

/** `failures:TARGET`, or TARGET alone. */
function policyOf(word: string): { policy: Policy; target: string } {
  const policy = POLICIES.find(policy => word.startsWith(`${policy}:`))
  return policy ? { policy, target: word.slice(policy.length + 1) } : { policy: 'changes', target: word }
}

const odd = (name: string, what: string, like: string) =>
  lasting(`read the setting ${name}`, `${what} is not [POLICY:]TARGET, such as ${like} or failures:${like}`)

/** A name for people, and of its own for each `whole`. */
function named(text: string, whole: string): string {
  const short = toPart(text, 60)
  return short === whole ? short : `${short}-${createHash('sha256').update(whole).digest('hex').slice(0, 12)}`
}

function isProgram(path: string): boolean {
  const stat = ignoringENOENT(() => statSync(path))
  return stat?.isFile() === true && (stat.mode & 0o111) !== 0
}
