// Where our programs spend the time of a scenario: each Node writes a profile of itself when it ends, and what the
// profiles of one program say is added up. The files can be opened in the developer tools of Chromium.

import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

import { ROOT } from '../fixtures/sandbox.ts'

/** Not kept in git. */
const PROFILES = join(ROOT, 'test/bench/results-profiles')

/** How often a profile looks at what is being done, in microseconds. */
const INTERVAL = 250

const SHOWN = 8

/** What a profile of V8 holds, as far as it is read here. */
interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string }
  }[]
  readonly samples: readonly number[]
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[]
}

/** The profiles of one scenario, taken while it runs. */
export class Profiler {
  readonly #to: string

  constructor(name: string) {
    this.#to = join(PROFILES, name)
    rmSync(this.#to, { recursive: true, force: true })
    mkdirSync(join(this.#to, 'bin'), { recursive: true })
    const node = join(this.#to, 'bin/node')
    writeFileSync(
      node,
      `#!/bin/sh
for program; do case $program in -*) ;; *) break ;; esac; done
case $program in *.js) ;; *) exec '${process.execPath}' "$@" ;; esac
program=\${program##*/}
exec '${process.execPath}' ${this.options('"${program%.js}.$$"').join(' ')} "$@"
`,
    )
    chmodSync(node, 0o755)
  }

  /** To be put in front of PATH: a `node` that profiles our programs. */
  get bin(): string {
    return join(this.#to, 'bin')
  }

  /** What makes a Node write its profile, under the name of its program and whatever makes that unique. */
  options(name: string): string[] {
    return [
      `--cpu-prof`,
      `--cpu-prof-interval=${INTERVAL}`,
      `--cpu-prof-dir=${this.#to}`,
      `--cpu-prof-name=${name}.cpuprofile`,
    ]
  }

  /** A few lines for each program: how busy it was, and with what. */
  format(): string {
    const programs = new Map<string, Profile[]>()
    for (const file of readdirSync(this.#to).filter(file => file.endsWith('.cpuprofile'))) {
      const program = file.split('.', 1)[0]!
      const profile = JSON.parse(readFileSync(join(this.#to, file), 'utf8')) as Profile
      programs.set(program, [...(programs.get(program) ?? []), profile])
    }
    return [...programs].map(([program, profiles]) => formatProgram(program, profiles)).join('')
  }
}

function formatProgram(program: string, profiles: readonly Profile[]): string {
  const times = new Map<string, number>()
  for (const profile of profiles) addTimes(profile, times)
  const idle = times.get('(idle)') ?? 0
  times.delete('(idle)')
  const busy = [...times.values()].reduce((sum, time) => sum + time, 0)
  const share = ((100 * busy) / (busy + idle)).toFixed(0)
  const rows = [...times].sort(([, a], [, b]) => b - a).slice(0, SHOWN)
  const lines = rows.map(([what, time]) => `  ${((100 * time) / busy).toFixed(1).padStart(5)} %  ${what}\n`)
  return `  ${program}: ${profiles.length} of them, busy for ${(busy / 1000).toFixed(0)} ms, ${share} % of their time\n${lines.join('')}`
}

/** Adds the time that each function took by itself, in microseconds. */
function addTimes({ nodes, samples, timeDeltas }: Profile, times: Map<string, number>): void {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url } }) => {
      const where = url.startsWith('node:') ? url : basename(url)
      return [id, `${functionName || '(top level)'}${where && ` ${where}`}`]
    }),
  )
  samples.forEach((id, i) => {
    const name = names.get(id)!
    // It belongs to whoever was seen then: the sample before is of no use where the program slept.
    times.set(name, (times.get(name) ?? 0) + Math.max(0, timeDeltas[i]!))
  })
}
