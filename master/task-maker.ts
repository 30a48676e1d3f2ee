// Makes tasks of events. Everything it does is in maker.ts; here is when.

import { compileAside } from '../lib/system/aside.ts'
import { command, runMain } from '../lib/system/command.ts'
import { EXIT, Fatal, lasting, quote } from '../lib/base/exit.ts'
import { say } from '../lib/system/log.ts'
import { choice, count, optional, setting, sizeLimit, words } from '../lib/base/settings.ts'
import { projectLimits } from './make/project-limits.ts'
import { formatParams } from '../lib/spool/event.ts'
import { mustBeThere, openTasks } from '../lib/spool/spool.ts'
import { isPart, isTarget } from '../lib/spool/task-name.ts'
import { isToEnd, onHup } from '../lib/system/renewal.ts'
import { readWatchSettings, watch } from '../lib/system/watch.ts'
import type { Watch } from '../lib/system/watch.ts'
import { SYSTEM_PAUSE } from './make/event-queue.ts'
import { Foresight } from './make/foresight.ts'
import { Maker } from './make/maker.ts'
import type { MakerSettings } from './make/maker.ts'
import { projectOf } from './make/record.ts'

export const taskMaker = command(
  {
    name: 'task-maker',
    usage: '[--once]',
    operands: [0, 0],
    about: `Makes tasks of the events of a project: waits for files in $REVS and handles the oldest first.

An event is a file $REVS/REF/REVISION, empty or with lines KEY=VALUE. It becomes one task for each entry of
$ARCHS, and is gone when they are published; their names are printed, one a line. An event that cannot be
made into tasks is tried again with growing pauses, at least $EVENT_TRIES times and for two minutes, then
moved to .failed/PROJECT beside $REVS; it does not hold up others. What is being worked on is in
.making/PROJECT. Any number of makers may run, and be killed: each event still becomes tasks exactly once.
Limits that conf/PROJECT/rc sets travel with each task, and count wherever it runs: LINE_TIMEOUT,
STEP_TIMEOUT, JOB_TIMEOUT, LOG_MAX, ARTIFACTS_MAX, ARTIFACTS_COUNT and FAILED_JOB_WAITTIME.

TERM and INT end it at once.`,
    options: {
      once: { type: 'boolean', about: 'handle one event if there is one, and exit' },
    },
    environment: {
      REVS: 'where events are; its last component is the project',
      TASKS: 'the tasks of the spool',
      PROJ: 'path of the code repository',
      STEPS: 'path of the steps repository; without it steps are in .bass/ of the code',
      ARCHS: 'for which a task is made: ARCH or ARCH:HOST, separated by white space',
      COMPRESSOR: 'the command that compresses archives that are not small',
      CODE_GIT: 'how many commits the repository has that the code comes with; 0 for none',
      LFS: 'yes puts the content of LFS pointers in their place',
      SUBMODULES: 'yes fills submodules',
      BUNDLE_MAX: 'most bytes of an archive before compression',
      EVENT_TRIES: 'how often an event is tried',
      POLL_INTERVAL: 'how often to look where no file events arrive',
      WATCH: 'events, poll, or auto: as the file system suggests',
    },
    exits: { '100': 'wrong usage, a lasting error, or an event was given up (--once)' },
  },
  async (_operands, { once }) => {
    const settings = readSettings()
    return once ? await makeOne(settings) : await makeAll(settings)
  },
)

function readSettings(): MakerSettings {
  const project = projectOf(setting('REVS'))
  if (!isPart(project.name))
    throw lasting(`use ${quote(project.revs)}`, 'its last component is no name of a project')
  setting('ARCHS')
  const targets = words('ARCHS')
  for (const target of targets) {
    if (!isTarget(target))
      throw lasting('read the setting ARCHS', `${quote(target)} is not ARCH or ARCH:HOST`)
  }
  setting('COMPRESSOR')
  const spool = openTasks()
  const settings = {
    code: setting('PROJ'),
    steps: optional('STEPS'),
    eventTries: count('EVENT_TRIES'),
    compressor: words('COMPRESSOR'),
    bundleMax: sizeLimit('BUNDLE_MAX'),
    extras: {
      lfs: choice('LFS', ['no', 'yes']) === 'yes',
      submodules: choice('SUBMODULES', ['no', 'yes']) === 'yes',
      gitDepth: count('CODE_GIT'),
    },
    spool,
    project,
    targets,
    limits: formatParams(projectLimits(spool, project.name)),
  }
  mustBeThere(project.revs)
  return settings
}

const print = (names: readonly string[]) => process.stdout.write(names.join('\n') + '\n')

async function makeOne(settings: MakerSettings): Promise<number> {
  const maker = new Maker(settings, print)
  try {
    await maker.once()
  } finally {
    maker.close()
  }
  return EXIT.done
}

async function makeAll(settings: MakerSettings): Promise<number> {
  compileAside()
  const stop = new AbortController()
  const maker = new Maker(settings, print, stop.signal)
  const listener = new Listener(settings.project.revs)
  await listener.open()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      stop.abort()
      listener.ring()
    })
  }
  onHup().addEventListener('abort', () => listener.ring())
  const { code, project } = settings
  const foresight =
    readWatchSettings().how === 'poll'
      ? undefined
      : new Foresight(code, project.revs, tip => maker.foresee(tip))
  // Needed at the first event, and slow to load or to start.
  void import('proper-lockfile')
  void maker.warmUp()
  try {
    await work(maker, listener, foresight, () => stop.signal.aborted)
  } finally {
    foresight?.close()
    maker.close()
    await listener.close()
  }
  return EXIT.done
}

/** More events than these are worked off unheard. */
const MANY = 8

/** Hears of events. */
class Listener {
  readonly #revs: string
  #watch: Watch | undefined

  constructor(revs: string) {
    this.#revs = revs
  }

  async open(): Promise<void> {
    this.#watch = await watch([this.#revs], readWatchSettings(), true)
  }

  async close(): Promise<void> {
    await this.#watch?.close()
    this.#watch = undefined
  }

  ring(): void {
    this.#watch?.ring()
  }

  /** Waits until there may be events, or for `pause` milliseconds. */
  async wait(pause: number): Promise<void> {
    const timer = pause === Infinity ? undefined : setTimeout(() => this.ring(), pause)
    await this.#watch?.next()
    clearTimeout(timer)
  }

  /** Does `work`, and hears nothing meanwhile; the next wait ends at once. */
  async without<T>(work: () => Promise<T>): Promise<T> {
    await this.close()
    try {
      return await work()
    } finally {
      await this.open()
      this.ring()
    }
  }
}

/** Works off what there is whenever something may have changed, until `stopped`. */
async function work(
  maker: Maker,
  listener: Listener,
  foresight: Foresight | undefined,
  stopped: () => boolean,
): Promise<void> {
  let held: string | undefined
  for (let first = true; !stopped(); first = false) {
    let pause
    try {
      const events = maker.due()
      const burst = () => maker.burst(events)
      // Whenever one of them is taken, chokidar would look at all that wait.
      pause = await (events.length > MANY ? listener.without(burst) : burst())
      held = undefined
    } catch (error) {
      if (stopped()) return
      if (first || !(error instanceof Fatal) || error.exitCode === EXIT.lasting) throw error
      if (error.message !== held) say('warning', error.message)
      held = error.message
      pause = SYSTEM_PAUSE
    }
    if (stopped() || isToEnd()) return
    foresight?.open()
    await listener.wait(pause)
  }
}

if (require.main === module) runMain(taskMaker)
