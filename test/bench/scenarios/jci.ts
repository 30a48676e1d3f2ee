// git jci with 5,000 runs of 1,000 commits in one repository, and its pages with 20,000 of 10,000, beside git doing the same; and how
// many processes of git that takes.

import { rmSync } from 'node:fs'
import { join } from 'node:path'

import { RunsReader } from '../../../bin/jci/web/data.ts'
import { refOf } from '../../../lib/jci/run-ref.ts'
import { countingGit } from '../../fixtures/counting-git.ts'
import { eventually, ROOT } from '../../fixtures/sandbox.ts'
import { Ground } from '../ground.ts'
import type { Contender, Scenario } from '../scenario.ts'

interface Size {
  readonly commits: number
  /** Of each commit. */
  readonly runs: number
}

const FEW: Size = { commits: 100, runs: 5 }
const MANY: Size = { commits: 1000, runs: 5 }
const VERY_MANY: Size = { commits: 10_000, runs: 2 }

/** When the runs of a place began, in seconds since 1970. */
const BEGUN = 1_700_000_000

/** A repository with so many commits and runs, and a bare one that has the same. */
class RunsPlace {
  readonly repository: string
  readonly remote: string
  readonly #ground: Ground
  readonly #tip: string
  readonly #id: string
  #more = 0

  constructor(ground: Ground, name: string, { commits, runs }: Size) {
    this.#ground = ground
    this.repository = ground.path(name)
    this.remote = ground.path(`${name}.git`)
    ground.git(ground.dir, 'init', '-q', '-b', 'main', name)
    const history = Array.from(
      { length: commits },
      (_, i) => `commit refs/heads/main\n${stamp(i)}data 2\nc\n`,
    )
    ground.ok('git', ['fast-import', '--quiet'], { cwd: name, input: history.join('') })
    const hashes = ground.git(this.repository, 'rev-list', 'main').split('\n')
    this.#tip = hashes[0]!
    const blobs = 'blob\nmark :1\ndata 3\nok\n\nblob\nmark :2\ndata 4\nerr\n\n'
    const refs = hashes.flatMap((commit, i) =>
      Array.from({ length: runs }, (_, k) => {
        const n = i * runs + k
        const log = `output of run ${n}\n`
        const tree = `M 644 :${1 + (n % 2)} status.txt\nM 644 inline run.output.txt\ndata ${log.length}\n${log}\n`
        return `commit ${refOf({ commit, run: nameOf(n) })}\n${stamp(n)}data 2\nr\n${tree}\n`
      }),
    )
    ground.ok('git', ['fast-import', '--quiet'], { cwd: name, input: blobs + refs.join('') })
    this.#id = ground.git(this.repository, 'rev-parse', refOf({ commit: this.#tip, run: nameOf(0) }))
    ground.git(this.repository, 'pack-refs', '--all')
    ground.git(ground.dir, 'clone', '-q', '--mirror', this.repository, this.remote)
    ground.git(this.repository, 'remote', 'add', 'origin', this.remote)
  }

  /** Makes one more run, which began so many seconds after the first. */
  add(seconds: number): void {
    const run = `${BEGUN + seconds}-${(this.#more++ % 65_536).toString(16).padStart(4, '0')}`
    this.#ground.git(this.repository, 'update-ref', refOf({ commit: this.#tip, run }), this.#id)
  }

  jci(...args: string[]): void {
    this.#ground.ok(join(ROOT, 'bin/git-jci'), args, { cwd: this.repository })
  }
}

const stamp = (n: number) => `committer A <a@b> ${BEGUN + n} +0000\n`
const nameOf = (n: number) => `${BEGUN + n}-${(n % 65_536).toString(16).padStart(4, '0')}`

interface Work {
  readonly name: string
  readonly about: string
  readonly goal?: Scenario['goal']
  readonly size?: Size
  /** Before each of the contenders, not timed. */
  readonly before?: (place: RunsPlace) => void
  readonly ours: (place: RunsPlace, ground: Ground) => Promise<() => Promise<void> | void>
  /** What is counted, if it is not `ours` as it is. */
  readonly counted?: (place: RunsPlace) => Promise<void>
  readonly git: readonly string[]
}

const WORKS: readonly Work[] = [
  {
    name: 'jci-page',
    about: '100 of 10,000 commits with 200 of 20,000 runs as JSON, another page each time, `git jci web`',
    goal: { least: 50, aim: 25 },
    size: VERY_MANY,
    ours: async (place, ground) => {
      const web = ground.start(join(ROOT, 'bin/git-jci'), ['web', '0'], { cwd: place.repository })
      const url = await eventually('the pages', () => /listening on (http:\S+)/.exec(web.stderr())?.[1])
      let page = 0
      return async () => {
        const answer = await fetch(`${url}api/commits?branch=main&page=${page++ % (VERY_MANY.commits / 100)}`)
        const { commits } = (await answer.json()) as { commits: { runs: unknown[] }[] }
        if (commits.length !== 100 || commits.some(({ runs }) => runs.length < VERY_MANY.runs))
          throw new Error('not what was asked for')
      }
    },
    counted: async place => {
      await new RunsReader(place.repository).commits('main', 0)
    },
    git: ['for-each-ref', '--format=%(objectname) %(refname)', 'refs/jci-runs'],
  },
  {
    name: 'jci-list',
    about: '5,000 runs listed with age and size, `git jci prune` without `--commit`',
    ours: place => Promise.resolve(() => place.jci('prune', '--older-than', '1h')),
    git: ['for-each-ref', '--format=%(objectname) %(refname) %(tree)', 'refs/jci-runs'],
  },
  {
    name: 'jci-push',
    about: 'one new run pushed to where 5,000 are, `git jci push`',
    before: place => place.add(100_000),
    ours: place => Promise.resolve(() => place.jci('push')),
    git: ['push', '-q', 'origin', 'refs/jci-runs/*:refs/jci-runs/*'],
  },
  {
    name: 'jci-prune',
    about: 'one old run of 5,000 removed, `git jci prune --commit --no-gc`',
    before: place => place.add(-400 * 86_400),
    ours: place => {
      const age = `${Math.floor((Date.now() / 1000 - BEGUN) / 86_400) + 300}d`
      return Promise.resolve(() => place.jci('prune', '--older-than', age, '--commit', '--no-gc'))
    },
    git: ['for-each-ref', '--format=delete %(refname)', 'refs/jci-runs'],
  },
]

export const jciScenarios: readonly Scenario[] = WORKS.map(work => ({
  name: work.name,
  about: work.about,
  unit: 'ms' as const,
  better: 'less' as const,
  ...(work.goal ? { goal: work.goal } : {}),
  places: ['tmpfs'] as const,
  open: async stage => {
    const ground = new Ground(stage)
    const place = new RunsPlace(ground, 'many', work.size ?? MANY)
    const few = new RunsPlace(ground, 'few', FEW)
    const processes = [await countGit(ground, work, few), await countGit(ground, work, place)]
    const ours = await work.ours(place, ground)
    const timed = (name: string, act: () => Promise<void> | void): Contender => ({
      name,
      round: async () => {
        work.before?.(place)
        const began = performance.now()
        await act()
        return performance.now() - began
      },
    })
    return {
      contenders: [
        {
          ...timed('BASS', ours),
          remark: () => `${processes[1]!} processes of git, ${processes[0]!} with 500 runs`,
        },
        timed(`git ${work.git[0]!}`, () => void ground.git(place.repository, ...work.git)),
      ],
    }
  },
}))

/** How many processes of git the work takes. */
async function countGit(ground: Ground, work: Work, place: RunsPlace): Promise<number> {
  const path = ground.env['PATH']!
  const after: (() => void)[] = []
  const count = countingGit({ teardown: undo => after.push(undo) }, ground)
  try {
    if (work.counted) await work.counted(place)
    else {
      const act = await work.ours(place, ground)
      work.before?.(place)
      count()
      await act()
    }
    return count()
  } finally {
    for (const undo of after) undo()
    ground.env['PATH'] = path
    rmSync(ground.path('counting'), { recursive: true })
  }
}
