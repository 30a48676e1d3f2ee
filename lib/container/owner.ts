// The owner of a container, a network or a volume: a label names the process that made it, so that what a killed process left
// behind is found and removed by the next one.

import { setting } from '../base/settings.ts'
import { isGone, self } from '../system/process.ts'
import type { Identity } from '../system/process.ts'
import { askIf } from './engine.ts'
import type { Engine } from './engine.ts'

export const OWNER = 'bass.owner'

/** The label of what this process makes. */
export function ownerLabel(host = setting('HOST')): Readonly<Record<string, string>> {
  const { boot, namespace, pid, start } = self()
  return { [OWNER]: [host, boot, namespace, pid, start].join(' ') }
}

/** Reads the owner from a label; undefined if it is none of ours. Pure. */
export function ownerOf(label: string): (Identity & { readonly host: string }) | undefined {
  const [host, boot, namespace, pid, start, ...more] = label.split(' ')
  if (start === undefined || more.length > 0 || !/^\d+$/.test(pid!)) return undefined
  return { host: host!, boot: boot!, namespace: namespace!, pid: Number(pid), start }
}

/** How each kind of thing is listed, asked for its label, and removed. */
const KINDS = {
  container: {
    list: ['ps', '--all', '--quiet'],
    inspect: ['container', 'inspect', '--format', `{{.Id}} {{index .Config.Labels "${OWNER}"}}`],
    remove: ['rm', '--force', '--volumes'],
  },
  network: {
    list: ['network', 'ls', '--quiet'],
    inspect: ['network', 'inspect', '--format', `{{.Name}} {{index .Labels "${OWNER}"}}`],
    remove: ['network', 'rm'],
  },
  image: {
    list: ['images', '--quiet'],
    inspect: ['image', 'inspect', '--format', `{{.Id}} {{index .Config.Labels "${OWNER}"}}`],
    remove: ['rmi', '--force'],
  },
} as const

/**
 * Removes what processes of this host left behind that are gone: containers and networks, or things of this kind alone. An error
 * of the engine ends the search: the next start goes on. Returns what was removed.
 */
export async function sweepDead(
  engine: Engine,
  kinds: readonly (keyof typeof KINDS)[] = ['container', 'network'],
): Promise<string[]> {
  const host = setting('HOST', engine.env)
  const removed: string[] = []
  for (const { list, inspect, remove } of kinds.map(kind => KINDS[kind])) {
    const found = await askIf(engine, 'list what was left behind', [...list, '--filter', `label=${OWNER}`])
    if (!found) continue
    const look = (ids: readonly string[]) => askIf(engine, 'see whose it is', [...inspect, ...ids])
    const ids = found.split('\n')
    // Where one has gone since it was listed, the engine refuses the question about all.
    const told = (await look(ids)) ?? (await Promise.all(ids.map(id => look([id])))).join('\n')
    for (const line of told.split('\n')) {
      const [id, ...label] = line.split(' ')
      const owner = ownerOf(label.join(' '))
      if (!owner || owner.host !== host || !isGone(owner)) continue
      if ((await askIf(engine, 'remove it', [...remove, id!])) !== undefined) removed.push(id!)
    }
  }
  return removed
}
