// One line of the protocol at a time, broken on purpose. Each must make the sweep find something.

import type { Instant } from './instants.ts'

export interface Mutation {
  /** What is broken, as a sentence. */
  readonly name: string
  readonly file: string
  /** Occurs once in the file. */
  readonly text: string
  readonly instead: string
  /** Which instants are to notice it, of scenarios whose name has these words; or that the schedules are that have them. */
  readonly kind: Instant['kind'] | 'schedule'
  readonly words: string
  /** Only at operations that match this, written as `rename PATH NEW-PATH`: `npm test` tries these as well. */
  readonly where?: RegExp
}

/** True if an instant is one that is to notice the mutation. Pure. */
export const isMeant = ({ where }: Mutation, { operation: { kind, path, to } }: Instant): boolean =>
  where?.test(`${kind} ${path} ${to}`) ?? true

const EVENT = 'an event that waits behind another'
const GONE = 'whose slave is gone'
const RUN = 'that job-starter runs'

export const MUTATIONS: readonly Mutation[] = [
  {
    name: 'files are not fsynced before they are published',
    file: 'lib/system/durable.ts',
    text: '      fsyncSync(fd)\n    })',
    instead: '    })',
    kind: 'power cut',
    words: EVENT,
  },
  {
    name: 'the files of a task are not fsynced before it is published',
    file: 'master/make/bundle.ts',
    text: '  fresh.forEach(fsyncPath)\n',
    instead: '',
    kind: 'power cut',
    words: EVENT,
  },
  {
    name: 'a number is used before the counter is fsynced',
    file: 'master/make/record.ts',
    text: '    fsyncPath(spool.ctr)\n',
    instead: '',
    kind: 'power cut',
    words: EVENT,
  },
  {
    name: 'a batch is chosen before it is fsynced',
    file: 'master/make/record.ts',
    text: '    fsyncPath(path)\n    fsyncPath(spool.tasks.tmp)',
    instead: '',
    kind: 'power cut',
    words: EVENT,
  },
  {
    name: 'a record ends before its tasks are fsynced in tasks/cur',
    file: 'master/make/record.ts',
    text: '  fsyncPath(spool.tasks.cur)\n',
    instead: '',
    kind: 'power cut',
    words: EVENT,
  },
  {
    name: 'what a job did is not fsynced before its verdict is given',
    file: 'slave/run/job-writer.ts',
    text: "    await patiently('fsync', path, () => fsyncFile(Buffer.from(path, 'latin1'), i === 0), stop)\n",
    instead: '    if (path.includes(".new.")) await fsyncFile(Buffer.from(path, "latin1"), i === 0)\n',
    kind: 'power cut',
    words: RUN,
  },
  {
    name: 'a task is archived before the verdict of its job is fsynced',
    file: 'lib/spool/archive.ts',
    text: '  settleJob(spool, join(spool.jobs.cur, name))\n',
    instead: '',
    kind: 'power cut',
    words: 'cancelled',
  },
  {
    name: 'a job is shown before its claim is fsynced',
    file: 'lib/spool/claim.ts',
    text: '  fsyncPath(join(spool.tasks.cur, name))\n',
    instead: '',
    kind: 'power cut',
    words: RUN,
  },
  {
    name: 'a retry is published before its parent says so on the disk',
    file: 'lib/spool/retry.ts',
    text: '  fsyncPath(job)\n  move(',
    instead: '  move(',
    kind: 'power cut',
    words: GONE,
  },
  {
    name: 'a record ends before its tasks are published',
    file: 'master/make/record.ts',
    text: '  for (const name of names) move(join(path, name), join(spool.tasks.cur, name))\n',
    instead:
      '  endRecord(project, record)\n  for (const name of names) move(join(path, name), join(spool.tasks.cur, name))\n',
    kind: 'crash',
    words: EVENT,
  },
  {
    name: 'a lost task is archived before it is published again',
    file: 'lib/spool/lose.ts',
    text: "  if (verdict === 'lost' &&",
    instead: "  if (verdict === 'lost') archiveTask(spool, name)\n  if (verdict === 'lost' &&",
    kind: 'crash',
    words: GONE,
  },
  {
    name: 'a job is pruned before its task',
    file: 'lib/spool/prune.ts',
    text: '      sweep(join(spool.tasks.old, name))\n      sweep(join(spool.jobs.old, name))',
    instead: '      sweep(join(spool.jobs.old, name))\n      sweep(join(spool.tasks.old, name))',
    kind: 'crash',
    words: 'pruned',
  },
  {
    name: 'a verdict is renamed into its place, over the one that stands',
    file: 'lib/system/durable.ts',
    text: '    return linkOnce(prepared, path)',
    instead: '    renameSync(prepared, path)\n    return true',
    kind: 'undead',
    words: RUN,
  },
  {
    name: 'a claim is renamed into its place',
    file: 'lib/system/durable.ts',
    text: '    linkSync(from, to)\n    return true',
    instead: '    renameSync(from, to)\n    return true',
    kind: 'undead',
    words: RUN,
  },
  {
    name: 'a job to be claimed is named without its token',
    file: 'lib/spool/claim.ts',
    text: '`${name}.${token}`',
    instead: 'name + token.slice(16)',
    kind: 'crash',
    words: RUN,
  },
  {
    name: 'a reaper publishes its own clone, whichever was recorded',
    file: 'lib/spool/retry.ts',
    text: '  const standing = retriedAs(job)\n',
    instead: '  const standing: string | undefined = clone\n',
    kind: 'undead',
    words: GONE,
  },
  {
    name: 'the counter grows by making the next directory and removing the last',
    file: 'lib/spool/counter.ts',
    text: '      renameSync(join(ctr, String(last)), join(ctr, String(last + count)))',
    instead:
      '      mkdirSync(join(ctr, String(last + count)))\n      require("node:fs").rmSync(join(ctr, String(last)), { recursive: true, force: true })',
    kind: 'undead',
    words: EVENT,
  },
  {
    name: 'an error of a link is believed',
    file: 'lib/system/durable.ts',
    text: '    if (fstatSync(fd).nlink > 1) return true\n',
    instead: '',
    kind: 'error',
    words: RUN,
  },
  {
    name: 'an error of a rename is believed',
    file: 'lib/system/durable.ts',
    text: '    if (listAllIfThere(dirname(from)).includes(basename(from))) throw error\n    return false',
    instead: '    throw error',
    kind: 'error',
    words: EVENT,
  },
  {
    name: 'what the system refuses is a verdict on the work',
    file: 'slave/run-job.ts',
    text: 'if (error instanceof BundleError)',
    instead: 'if (error)',
    kind: 'error',
    words: RUN,
  },
  {
    name: 'a task is claimed before jobs/tmp is fsynced',
    file: 'lib/spool/claim.ts',
    text: '    fsyncPath(spool.jobs.tmp)\n',
    instead: '',
    kind: 'power cut',
    words: RUN,
    where: /^rename .*\/jobs\/tmp\/.* .*\/jobs\/cur\//,
  },
  {
    name: 'what is published again is not fsynced in tasks/cur',
    file: 'lib/spool/retry.ts',
    text: '  fsyncPath(spool.tasks.cur)\n',
    instead: '',
    kind: 'power cut',
    words: GONE,
    where: /^rename .*\/tasks\/cur\/.* .*\/tasks\/old\//,
  },
  {
    name: 'the number of a retry is used before the counter is fsynced',
    file: 'lib/spool/counter.ts',
    text: '  fsyncPath(ctr)\n  return first',
    instead: '  return first',
    kind: 'power cut',
    words: GONE,
    where: /^end /,
  },
  {
    name: 'an event is decided about before its move is fsynced on either side',
    file: 'master/make/record.ts',
    text: `    fsyncPath(placeOf(record, event))
    // The directory of the ref may have been removed since the event left it.
    ignoringENOENT(() => fsyncPath(join(project.revs, event.ref)))
`,
    instead: '',
    kind: 'power cut',
    words: 'an event becomes its tasks',
    where: /^end |^fsync .*\/\.making\/hello /,
  },
  {
    name: 'a reaper does not look again for a verdict after it has set the times',
    file: 'master/reap/rounds.ts',
    text: '    if (!wasGone || !isGone() || verdictOf(job) !== undefined) return\n',
    instead: '    if (!wasGone || !isGone()) return\n',
    kind: 'schedule',
    words: 'once more for a verdict',
  },
  {
    name: 'a maker does not look whether the record still stands that it has decided about',
    file: 'master/make/record.ts',
    text: '    if (isEnded(project, record)) return undefined\n',
    instead: '',
    kind: 'schedule',
    words: 'by a remembered path',
  },
  {
    name: 'records are listed before batches',
    file: 'master/make/record.ts',
    text: `  const batches = mustListAll(tmp)
    .map(name => /^\\.([^:]+)\\.([0-9a-f]{16})\\.([0-9a-f]{16})$/.exec(name))
    .filter(match => match?.[1] === project.name)
  if (batches.length === 0) return
  const records = listNow(project.making)
`,
    instead: `  const records = listNow(project.making)
  const batches = mustListAll(tmp)
    .map(name => /^\\.([^:]+)\\.([0-9a-f]{16})\\.([0-9a-f]{16})$/.exec(name))
    .filter(match => match?.[1] === project.name)
`,
    kind: 'schedule',
    words: 'a maker that sweeps',
  },
  {
    name: 'a reaper lists tasks before jobs',
    file: 'master/reap/rounds.ts',
    text: `    const claims = mustList(spool.jobs.tmp)
    const jobs = this.#jobNames()
    const hasChanged = this.#hasChanged()
    const tasks = this.#taskNames()
`,
    instead: `    const hasChanged = this.#hasChanged()
    const tasks = this.#taskNames()
    const claims = mustList(spool.jobs.tmp)
    const jobs = this.#jobNames()
`,
    kind: 'schedule',
    words: 'came and ended while it listed',
  },
  {
    name: 'a claim that was refused leaves its job to be',
    file: 'lib/spool/claim.ts',
    text: '    if (rubbish) remove(mine)\n',
    instead: '',
    kind: 'schedule',
    words: 'a claim that was refused',
  },
  {
    name: 'a cancel that came before lost work was published again does not count for what it was published as',
    file: 'lib/spool/lose.ts',
    text: '  if (!listIfThere(join(spool.tasks.old, name)).includes(TASK.cancel)) return\n',
    instead: '  if (name) return\n',
    kind: 'schedule',
    words: 'a cancel between',
  },
  {
    name: 'what cannot be listed holds nothing',
    file: 'lib/system/listing.ts',
    text: '  return askingAgain(() => readdirSync(directory))\n',
    instead: '  try {\n    return readdirSync(directory)\n  } catch {\n    return []\n  }\n',
    kind: 'listing',
    words: 'an event becomes its tasks',
    where: /^list .*\.making/,
  },
]
