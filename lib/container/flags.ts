// The rights of a container, as flags that podman and docker share. Pure.

import type { ContainerBounds } from '../base/elsewhere.ts'

export interface ContainerPlan extends ContainerBounds {
  readonly image: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** `none`, or the name of a network. */
  readonly network: string
  /** Volumes by the path where they are seen; an empty name is one of this container alone. Never a directory of a host. */
  readonly volumes?: Readonly<Record<string, string>>
  /** As `volumes`, but the container can only read them: others use them too. */
  readonly shared?: Readonly<Record<string, string>>
  readonly entrypoint?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** A user of the image, or numbers. */
  readonly user?: string
  readonly readOnly?: boolean
  /** Its standard input stays open, and its end is seen; and that is a terminal. */
  readonly interactive?: boolean
  readonly terminal?: boolean
}

/** The arguments behind `run` or `create`. The container is removed when it ends; it gets no privileges. */
export function containerFlags(plan: ContainerPlan): string[] {
  const flags = ['--rm', '--pull', 'missing', '--name', plan.name, '--network', plan.network]
  flags.push('--security-opt', 'no-new-privileges')
  for (const [label, value] of Object.entries(plan.labels)) flags.push('--label', `${label}=${value}`)
  for (const flag of ['cpus', 'memory', 'user'] as const) {
    const value = plan[flag]
    if (value !== undefined) flags.push(`--${flag}`, value)
  }
  if (plan.pids !== undefined) flags.push('--pids-limit', plan.pids)
  for (const [path, volume] of Object.entries(plan.volumes ?? {}))
    flags.push('--volume', volume === '' ? path : `${volume}:${path}`)
  for (const [path, volume] of Object.entries(plan.shared ?? {}))
    flags.push('--volume', `${volume}:${path}:ro`)
  for (const [name, value] of Object.entries(plan.env ?? {})) flags.push('--env', `${name}=${value}`)
  if (plan.readOnly) flags.push('--read-only')
  if (plan.interactive) flags.push('--interactive')
  if (plan.terminal) flags.push('--tty')
  if (plan.entrypoint !== undefined) flags.push('--entrypoint', plan.entrypoint)
  return [...flags, plan.image, ...(plan.args ?? [])]
}
