// Notifies people and programs of results. The spool is searched for them (notify/lookout.ts), each notice is
// recorded for each channel (notify/records.ts), then delivered (notify/courier.ts).

import { join } from 'node:path'

import { projectsWithChannels, stateOfChannels } from './notify/channels.ts'
import type { ProjectChannels } from './notify/channels.ts'
import { command, runMain } from '../lib/system/command.ts'
import { sweep } from '../lib/system/durable.ts'
import { listIfThere, mustList } from '../lib/system/listing.ts'
import { Fatal, lasting, quote, temporary } from '../lib/base/exit.ts'
import { address } from '../lib/base/settings.ts'
import { sayOnce, Trouble, warn, warnOnce } from '../lib/system/log.ts'
import { makeDirectory, openSpool } from '../lib/spool/spool.ts'
import type { Spool } from '../lib/spool/spool.ts'
import { numberOf } from '../lib/spool/task-name.ts'
import { isToEnd, onHup } from '../lib/system/renewal.ts'
import { TREE_DIRECTORIES } from '../lib/system/tree.ts'
import { readWatchSettings, watch } from '../lib/system/watch.ts'
import type { Watch } from '../lib/system/watch.ts'
import { standBy } from './notify/alone.ts'
import { Courier } from './notify/courier.ts'
import { kindNamed } from './notify/kinds.ts'
import { Lookout } from './notify/lookout.ts'
import type { ToldProject } from './notify/lookout.ts'
import { Records } from './notify/records.ts'
import { RefStates } from './notify/ref-state.ts'

/** Time that a delivery under way gets when this program is told to stop, in milliseconds. */
const DELIVERY_GRACE_MS = 5000

export const notifier = command(
  {
    name: 'notifier',
    usage: '',
    operands: [0, 0],
    about: `Tells people and programs how jobs end: one notifier for all projects of a spool.

The channels of a project are what its settings name, and the executables in conf/PROJECT/notify.d,
which get the notice as JSON on their input. With FORGE and a token each job is a check on the forge.

A channel is told of 'changes', the first failure of a ref, architecture and line of a Testfile and
when it is mended; or of 'failures'; or of 'all', also that a task waits or runs: written before the
target, as failures:ada@example.org, and as the end of a program's name, as log.all. A new channel
is told of what is not over yet.

Each is told once. What cannot be told is tried again until the job is pruned, with pauses of up to
5 minutes, and over restarts; after a crash something may be told twice, under the same id
(Message-ID, X-Bass-Delivery, BASS_DELIVERY). A webhook's X-Bass-Signature is 'sha256=' and the
HMAC-SHA256 of the body. A program says by its exit code: 0 done, 100 not this one, else not now.

Of several for one spool one tells, and the others stand by. Settings of projects are read again
within 30 seconds of a change.`,
    environment: {
      SPOOL: 'the spool; the settings of its projects are in conf/PROJECT/rc',
      NOTIFY_MAIL: '[POLICY:]ADDRESS, one or more',
      NOTIFY_WEBHOOK: '[POLICY:]URL, one or more',
      NOTIFY_REFS: "'yes': store each job in PROJ under refs/jci-runs/, and push it to FORGE",
      NOTIFY_KEY: 'what webhooks are signed with; or NOTIFY_KEY_FILE, its file',
      NOTIFY_FROM: 'who sends the mails',
      NOTIFY_MAILER: 'smtp://[USER@]HOST[:PORT], smtps://..., or the path of a sendmail',
      NOTIFY_PASSWORD: "USER's password; or NOTIFY_PASSWORD_FILE, its file",
      FORGE: 'the repository on a forge, as github:OWNER/REPO; its checks are set',
      FORGE_TOKEN_FILE: 'the file of its token; or FORGE_APP_ID and FORGE_APP_KEY_FILE, of a GitHub App',
      REPORTER_URL: 'where the pages are, for links',
      PROJ: 'the code repository, for authors and subjects',
      'POLL_INTERVAL, WATCH': 'how to notice that something has changed',
    },
  },
  async () => {
    const spool = openSpool()
    const watched = await watch([spool.tasks.cur, spool.jobs.cur, ...TREE_DIRECTORIES], readWatchSettings())
    const stop = new AbortController()
    const end = () => {
      stop.abort()
      watched.ring()
      // A delivery that takes longer is repeated after the next start.
      setTimeout(() => process.exit(), DELIVERY_GRACE_MS).unref()
    }
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, end)
    onHup().addEventListener('abort', () => watched.ring())
    const notices = join(spool.root, 'notices')
    makeDirectory(notices)
    const letNext = await standBy(notices, stop.signal, end)
    try {
      for (let first = true; !stop.signal.aborted; first = false) {
        await tell(openProjects(spool, first), spool, watched, stop.signal, end)
      }
    } finally {
      await watched.close()
      await letNext()
    }
  },
)

/** When to open again a channel, or the settings of a project, that could not be used, in milliseconds. */
const ODD_AGAIN_MS = 300_000

interface OpenProjects {
  /** The state of the settings. */
  readonly settings: string
  readonly projects: readonly ToldProject[]
  /** False if something could not be used, for which the files of settings may be none to blame. */
  readonly isWhole: boolean
}

/**
 * The projects by their current settings. After the start these may be half-written: then a project without
 * channels is no error, and no record is removed for it.
 */
function openProjects(spool: Spool, first: boolean): OpenProjects {
  const settings = stateOfChannels(spool.root)
  const odd: string[] = []
  const projects = projectsWithChannels(spool.root, process.env, name => odd.push(name)).map(project =>
    openProject(spool, withGoodLinks(project, first), first),
  )
  const isWhole =
    odd.length === 0 && projects.every(({ channels, couriers }) => couriers.length === channels.length)
  if (first && projects.every(({ couriers }) => couriers.length === 0)) {
    throw lasting(
      'tell anybody',
      'no project has NOTIFY_MAIL, NOTIFY_WEBHOOK, NOTIFY_REFS, FORGE with a token, or a program in its notify.d, that can be used',
    )
  }
  return { settings, projects, isWhole }
}

/** Tells until `stop`, or until the settings have changed or are to be read again. */
async function tell(
  { settings, projects, isWhole }: OpenProjects,
  spool: Spool,
  watched: Watch,
  stop: AbortSignal,
  end: () => void,
): Promise<void> {
  const lookout = new Lookout(spool, projects)
  const until = isWhole ? Infinity : performance.now() + ODD_AGAIN_MS
  const changed = new AbortController()
  const over = AbortSignal.any([stop, changed.signal])
  const told = Promise.all(projects.flatMap(({ couriers }) => couriers.map(courier => courier.run(over))))
  const trouble = new Trouble()
  try {
    while (!over.aborted) {
      try {
        await lookout.look()
        trouble.over(`looking through '${spool.root}' again`)
        if (stateOfChannels(spool.root) !== settings || performance.now() >= until) break
      } catch (error) {
        // The spool is away or full: say so and look again.
        trouble.warn('look through', spool.root, error)
      }
      await watched.next()
      if (isToEnd()) end()
    }
  } finally {
    changed.abort()
    await told
  }
}

/** A REPORTER_URL that is none is refused at the start; later it is said, and what is told has no links. */
function withGoodLinks(project: ProjectChannels, first: boolean): ProjectChannels {
  try {
    address('REPORTER_URL', project.env)
    return project
  } catch (error) {
    if (first) throw lasting(`tell of ${quote(project.name)}`, error)
    warn('link to the pages of', project.name, error)
    return { ...project, env: { ...project.env, REPORTER_URL: '' } }
  }
}

/** Opens the records of a project's channels. A channel that is set wrong is reported. Throws Fatal if the spool is away. */
function openProject(spool: Spool, project: ProjectChannels, first: boolean): ToldProject {
  const directory = join(spool.root, 'notices', project.name)
  const names = new Set(project.channels.map(({ name }) => name))
  // A channel that comes again after it was taken away is a new one.
  for (const name of first ? listIfThere(directory) : [])
    if (name !== 'refs' && !names.has(name)) sweep(join(directory, name))
  const couriers = project.channels.flatMap(channel => {
    try {
      const own = join(directory, channel.name)
      const opened = kindNamed(channel.kind).open(channel, project.env, own)
      return [new Courier(channel, new Records(own, () => overNow(spool)), opened)]
    } catch (error) {
      // A wrong setting is said, and holds up no other project; a spool that is away holds up all, and is tried again.
      if (!(error instanceof Fatal))
        throw temporary(`tell ${quote(`${project.name}/${channel.name}`)}`, error)
      warnOnce('tell', `${project.name}/${channel.name}`, error)
      return []
    }
  })
  if (couriers.length > 0 || !first)
    sayOnce(`tells of ${project.name}: ${couriers.map(tellChannel).join(', ') || 'nobody'}`)
  return { ...project, couriers, states: new RefStates(join(directory, 'refs')) }
}

const tellChannel = ({ channel }: Courier) => `${channel.name} (${channel.policy})`

/** The numbers of all tasks that are over. */
function overNow({ tasks, jobs }: Spool): number[] {
  const names = new Set([...mustList(tasks.old), ...mustList(jobs.old)])
  return [...names].map(numberOf).filter(Number.isInteger)
}

if (require.main === module) runMain(notifier)
