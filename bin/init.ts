// bass init: makes a spool, or completes one, and sets up a project in it. It never changes what is there.

import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

import { command, usage } from '../lib/system/command.ts'
import { hasCounter, makeCounter } from '../lib/spool/counter.ts'
import { mustList } from '../lib/system/listing.ts'
import { lasting, quote } from '../lib/base/exit.ts'
import { setting } from '../lib/base/settings.ts'
import { shellQuote } from '../lib/base/shell-quote.ts'
import { say } from '../lib/system/log.ts'
import { spoolAt } from '../lib/spool/spool.ts'
import type { Spool } from '../lib/spool/spool.ts'
import { parseForge } from '../lib/forge/parse-forge.ts'
import { isPart, isTarget, parseTaskName } from '../lib/spool/task-name.ts'
import { addForgeProject, forgeSteps, registerHook } from './setup/forge-project.ts'
import type { NewForgeProject } from './setup/forge-project.ts'
import { makeDirectoryWithMode, makeFile } from './setup/make.ts'
import { addProject, hookCommands, installHook } from './setup/project.ts'
import type { NewProject } from './setup/project.ts'
import { bassCommand, isUp } from './setup/what-next.ts'

const description = {
  name: 'bass init',
  usage: 'DIR [--project NAME (--code REPO [--hook] | --forge FORGE [--register]) [--archs ...]]',
  operands: [1, 1],
  about: `Makes a spool in DIR, or what is missing of one, and with --project sets up a project in it.

What is there is never changed, so it may be run again at any time. Directories are as writable
for their group as umask allows: use umask 002 where masters and slaves are different users of one
group. DIR/conf is writable for its owner only, because what stands there is run.

With --forge the code is on a forge: github:OWNER/REPO, gitea:URL/OWNER/REPO, forgejo:URL/OWNER/REPO,
gitlab:[URL/]GROUP/REPO or git:URL. DIR/mirrors/NAME.git is to hold it, DIR/conf/NAME/forge.secret is what
the webhook is signed with, and DIR/conf/NAME/forge.token is where a token goes.

The settings are in DIR/conf/rc, those of a project in DIR/conf/NAME/rc. Prints what to type next.`,
  options: {
    project: { type: 'string', value: 'NAME', about: 'set up this project' },
    code: { type: 'string', value: 'REPO', about: 'its git repository, a path on this host' },
    forge: { type: 'string', value: 'FORGE', about: 'its repository on a forge, as github:OWNER/REPO' },
    register: { type: 'boolean', about: 'register the webhook on the forge, where the token may' },
    steps: {
      type: 'string',
      value: 'REPO',
      about: 'that of its steps; without, they are in the code, in .bass/',
    },
    archs: {
      type: 'string',
      value: 'LIST',
      about: "ARCH or ARCH:HOST, one or more; without, this host's ARCH",
    },
    hook: { type: 'boolean', about: 'have pushes to the code make events: sets bass.revs, copies the hook' },
  },
  environment: {
    ARCH: 'what tasks are made for without --archs',
    REPORTER_URL: 'where the forge reaches the reporter, for --register',
  },
} as const

interface InitOptions {
  readonly project: string | undefined
  readonly code: string | undefined
  readonly forge: string | undefined
  readonly register: boolean
  readonly steps: string | undefined
  readonly archs: string | undefined
  readonly hook: boolean
}

export const verb = command(description, async ([directory], options) => {
  const spool = spoolAt(resolve(directory!))
  const common = commonOf(options)
  const onForge = common && forgeProjectOf(common, options)
  const project = common && !onForge ? projectOf(common, options) : undefined
  makeSpool(spool)
  if (onForge) {
    addForgeProject(spool, onForge)
    const registered = options.register ? [await registerHook(spool, onForge)] : []
    print([...registered, ...forgeSteps(spool, onForge, options.register), ...up(spool)])
    return
  }
  if (project) addProject(spool, project)
  if (project && options.hook) installHook(spool, project)
  print(whatNext(spool, project, options.hook))
})

const print = (lines: readonly string[]) => process.stdout.write(lines.map(line => `${line}\n`).join(''))

type Common = Pick<NewProject, 'name' | 'steps' | 'archs'>

/** The options of a project wherever its code is; undefined if there is none. */
function commonOf(options: InitOptions): Common | undefined {
  const { project: name, steps } = options
  if (name === undefined) {
    const all = ['code', 'steps', 'archs', 'hook', 'forge', 'register'] as const
    const lonely = all.find(option => options[option])
    if (lonely) throw usage(description, `--${lonely} is for a project, which --project names`)
    return undefined
  }
  // conf/rc is the settings file of the spool itself.
  if (!isPart(name) || name === 'rc')
    throw usage(description, `${quote(name)} cannot be the name of a project`)
  const archs = (options.archs ?? setting('ARCH')).split(/\s+/).filter(word => word !== '')
  const odd = archs.find(arch => !isTarget(arch))
  if (odd !== undefined) throw usage(description, `${quote(odd)} is neither ARCH nor ARCH:HOST`)
  if (archs.length === 0) throw usage(description, '--archs names nothing')
  return { name, steps: steps === undefined ? undefined : resolve(steps), archs }
}

function forgeProjectOf(
  common: Common,
  { forge, code, hook, register }: InitOptions,
): NewForgeProject | undefined {
  if (forge === undefined) {
    if (register) throw usage(description, '--register is for --forge')
    return undefined
  }
  if (code !== undefined) throw usage(description, '--code and --forge exclude each other')
  if (hook) throw usage(description, '--hook is for --code; a forge has a webhook')
  return { ...common, text: forge, forge: parseForge(forge) }
}

function projectOf(common: Common, { code }: InitOptions): NewProject {
  if (code === undefined)
    throw usage(description, `--code must name the repository of ${quote(common.name)}, or --forge`)
  if (/^\w+:\/\//.test(code))
    throw usage(description, `--code is a path on this host; type '--forge git:${code}'`)
  return { ...common, code: resolve(code) }
}

function makeSpool(spool: Spool): void {
  const { root, tasks, jobs, ctr, revs, takers, pause } = spool
  // Programs of the whole group make directories in the spool itself. Sticky: none can move another's away.
  makeDirectoryWithMode(root, 0o775, 0o3000)
  for (const directory of [revs, dirname(tasks.cur), dirname(jobs.cur), takers, pause])
    makeDirectoryWithMode(directory)
  for (const directory of [ctr, ...Object.values(tasks), ...Object.values(jobs)])
    makeDirectoryWithMode(directory)
  makeDirectoryWithMode(join(root, 'conf'), 0o755, 0)
  makeFile(join(root, 'conf/rc'), readFileSync(join(setting('BASS_ROOT'), 'examples/rc'), 'utf8'))
  startCounter(spool)
}

/** A number must never be given twice, so a counter is started only where none was ever given. */
function startCounter(spool: Spool): void {
  if (hasCounter(spool.ctr)) return
  const places = [...Object.values(spool.tasks), ...Object.values(spool.jobs)]
  const last = Math.max(0, ...places.flatMap(mustList).map(name => parseTaskName(name)?.num ?? 0))
  if (last > 0) {
    throw lasting(
      `make a counter in ${quote(spool.ctr)}`,
      `there are tasks already; if ${last} was the last, type 'mkdir ${shellQuote(join(spool.ctr, String(last)))}'`,
    )
  }
  makeCounter(spool.ctr)
}

/** The commands to type until a push becomes a job. */
function whatNext(spool: Spool, project: NewProject | undefined, hooked: boolean): string[] {
  const before = !project
    ? [`${bassCommand()} init ${shellQuote(spool.root)} --project NAME --code REPO --hook`]
    : hooked
      ? []
      : hookCommands(spool, project)
  return [...before, ...up(spool)]
}

const up = ({ root }: Spool): string[] => {
  if (!isUp(root)) return [`${bassCommand()} up ${shellQuote(root)}`]
  say('info', `'bass up' runs ${quote(root)} already, and takes up what changes in its conf`)
  return []
}
