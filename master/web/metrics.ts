// Metrics in the text format of Prometheus

import { boardOf } from './site/board.ts'
import type { Site } from './site/site.ts'

type Labels = Readonly<Record<string, string>>

export function metrics(site: Site): string {
  const board = boardOf(site)
  const out: string[] = []
  const family = (name: string, help: string, samples: readonly (readonly [Labels, number])[]) => {
    out.push(formatFamily(name, help, samples))
  }

  const jobs: [Labels, number][] = []
  site.index.tally((project, target, state, count) => jobs.push([{ project, target, state }, count]))
  family('bass_tasks', 'Tasks in the spool by project, target and state.', jobs)

  const oldest = board.waiting.map(({ view }) => view.made).filter(made => made !== null)
  const waited = oldest.length === 0 ? 0 : Math.max(0, Date.now() - Math.min(...oldest)) / 1000
  family('bass_oldest_waiting_seconds', 'For how long the first of the waiting tasks has waited.', [
    [{}, waited],
  ])

  const takers = new Map<string, [Labels, number]>()
  for (const { host, arch, state } of board.takers) {
    const key = [host, arch, state].join('\0')
    takers.set(key, [{ host, arch, state }, (takers.get(key)?.[1] ?? 0) + 1])
  }
  family('bass_takers', 'Takers that were seen, by host, architecture and state.', [...takers.values()])

  family(
    'bass_paused',
    'Pauses that are in force.',
    board.paused.map(what => [{ what }, 1]),
  )
  family('bass_reporter_unread', 'Tasks whose state is not read yet.', [[{}, site.index.unread]])
  family('bass_reporter_resident_bytes', 'Memory of the reporter.', [[{}, process.memoryUsage.rss()]])
  return out.join('')
}

/** A gauge with its samples. Pure. */
export function formatFamily(
  name: string,
  help: string,
  samples: readonly (readonly [Labels, number])[],
): string {
  const lines = samples.map(([labels, value]) => `${name}${formatLabels(labels)} ${value}`)
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines].join('\n') + '\n'
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const escapeLabel = (value: string): string =>
  value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')
