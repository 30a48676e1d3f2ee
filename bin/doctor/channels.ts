// Whom the projects tell: whether each channel can be opened, and whether letters go anywhere.

import { join } from 'node:path'

import { reasonOf } from '../../lib/base/errno.ts'
import { Fatal } from '../../lib/base/exit.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { channelsOf } from '../../master/notify/channels.ts'
import { kindNamed } from '../../master/notify/kinds.ts'
import { tryMailer } from '../../master/notify/mail.ts'
import { fine, wrong } from './finding.ts'
import type { Finding } from './finding.ts'
import type { ProjectFile } from './settings-files.ts'

export async function checkChannels(spool: Spool, projects: readonly ProjectFile[]): Promise<Finding[]> {
  const findings: Finding[] = []
  for (const project of projects) findings.push(...(await checkProject(spool, project)))
  return findings
}

async function checkProject(spool: Spool, { name, rc, env }: ProjectFile): Promise<Finding[]> {
  try {
    const channels = channelsOf(name, join(spool.root, 'conf', name, 'notify.d'), env)
    for (const channel of channels)
      kindNamed(channel.kind).open(channel, env, join(spool.root, 'notices', name, channel.name))
    if (channels.length === 0) return []
    const told = fine('channel', name, channels.map(({ name }) => name).join(', '))
    return channels.some(({ kind }) => kind === 'mail') ? [told, await checkMailer(name, rc, env)] : [told]
  } catch (error) {
    if (!(error instanceof Fatal)) throw error
    return [wrong('channel', name, error.message, `change it in ${rc}`)]
  }
}

async function checkMailer(project: string, rc: string, env: NodeJS.ProcessEnv): Promise<Finding> {
  const mailer = env['NOTIFY_MAILER'] ?? ''
  try {
    await tryMailer(env)
    return fine('mailer', mailer, 'takes letters')
  } catch (error) {
    return wrong(
      'mailer',
      mailer,
      `no letter of ${project} can be sent: ${reasonOf(error)}`,
      `change NOTIFY_MAILER in ${rc}`,
    )
  }
}
