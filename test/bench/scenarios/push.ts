// From `git push` to the first line of the first step, with the code unpacked.

import { spawn } from 'node:child_process'
import { join } from 'node:path'

import { floorSource } from '../floor.ts'
import { Ground } from '../ground.ts'
import { installHook, LAMINAR, rival, script, startLaminar } from '../rivals.ts'
import type { Contender, Scenario, Stage } from '../scenario.ts'
import { smallCode } from '../code.ts'

const STEP = '10-first'

/** The step of a push: says its first line, and rings. */
export const stepThatRings = (bell: string): string =>
  `#!/bin/sh\necho 'the first line'\necho "$BASS_TASK" >'${bell}'\n`

/** The same as a script for a shell, as others run it: `$0` is the bell. */
export const SCRIPT_THAT_RINGS = 'echo the first line; echo first >"$0"'

/** Pushes HEAD of the code to a bare repository; answers when that began, and when it is over. */
export function push(ground: Ground, bare: string): { began: number; over: Promise<void> } {
  const began = performance.now()
  const child = spawn('git', ['push', '-q', bare, 'HEAD:refs/heads/main'], {
    cwd: ground.code,
    env: { ...ground.env, ...ground.queues },
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  const over = new Promise<void>((done, failed) => {
    child.on('error', failed)
    child.on('exit', code => {
      if (code === 0) done()
      else failed(new Error(`git push: exit ${String(code)}`))
    })
  })
  return { began, over }
}

/** Ours: from the push until the log holds the line. Waits until the job is over. */
export async function pushAndSee(ground: Ground): Promise<number> {
  const before = ground.ls('spool/tasks/old').length
  const { began, over } = push(ground, ground.bare)
  const { line: task } = await ground.bell.next()
  const seen = await ground.logged(task, STEP)
  await over
  await ground.until(ground.spool.tasks.old, before + 1)
  return seen - began
}

/** Lays out our side: the code with its steps, a spool, and the programs. */
export async function standUp(ground: Ground, files: Readonly<Record<string, string>>): Promise<void> {
  ground.makeCode({ ...files, [`.bass/${STEP}`]: stepThatRings(ground.bell.path) })
  ground.initProject()
  ground.start('master/bin/reaper')
  await ground.makers()
  await ground.takers(1)
}

/** So many pushes make programs that have just been started what they are in service: the engine knows by then what to compile. */
const SERVED = 40

/** Our side, with programs that have served so many pushes. */
async function standUpServed(stage: Stage, served: number): Promise<Ground> {
  const ground = new Ground(stage)
  await standUp(ground, smallCode())
  for (let i = 0; i < served; i++) {
    ground.commit()
    await pushAndSee(ground)
  }
  return ground
}

export const pushScenario: Scenario = {
  name: 'push',
  about: '`git push` to the first line of the first step, code unpacked, 67 files',
  unit: 'ms',
  better: 'less',
  goal: { least: 1.15, aim: 0.95, of: 'hook, checkout' },
  places: ['tmpfs', 'ext4'],
  open: async stage => {
    const ground = await standUpServed(stage, SERVED)
    const fresh = await standUpServed(stage, 0)
    return {
      before: () => {
        for (const each of [ground, fresh]) each.commit()
      },
      contenders: [
        { name: 'BASS', round: () => pushAndSee(ground) },
        { name: 'BASS, just started', round: () => pushAndSee(fresh) },
        pushWithoutHook(ground),
        ...hooked(ground),
        outline(ground, stage),
      ],
    }
  },
}

function pushWithoutHook(ground: Ground): Contender {
  const bare = ground.path('plain.git')
  ground.makeBare(bare)
  const round = async () => {
    const { began, over } = push(ground, bare)
    await over
    return performance.now() - began
  }
  return { name: 'git push alone', round }
}

/** Hooks that start a job, by themselves or through a queue; first without the code, then with it. */
function hooked(ground: Ground): Contender[] {
  const bell = `'${ground.bell.path}'`
  const plain = `sh -c '${SCRIPT_THAT_RINGS}' ${bell}`
  let works = 0
  const make = (name: string, programs: readonly string[], hook: (bare: string) => string) =>
    rival(name, programs, () => {
      const bare = ground.path(`rival-${++works}.git`)
      ground.makeBare(bare)
      installHook(bare, `while read -r old new ref; do\n${hook(bare)}\ndone`)
      return async () => {
        const { began, over } = push(ground, bare)
        const { at } = await ground.bell.next()
        await over
        return at - began
      }
    })
  const handed = (bare: string) => `'${bare}' "$new" "$(mktemp -u '${ground.dir}/work-XXXXXX')" ${bell}`
  const checkout = (bare: string) => `${script('checkout-job')} ${handed(bare)}`
  return [
    make('hook, no code', [], () => `${plain} >>'${ground.dir}/log' 2>&1 </dev/null &`),
    make('hook, checkout', [], bare => `${checkout(bare)} >>'${ground.dir}/log' 2>&1 </dev/null &`),
    make(
      'floor in sh: hook, git archive',
      [],
      bare => `${floorSource('push-job')} ${handed(bare)} >>'${ground.dir}/log' 2>&1 </dev/null &`,
    ),
    make('Laminar, no code', LAMINAR, () => {
      const given = '"$REPOSITORY" "$REVISION" code'
      startLaminar(ground, { plain, checkout: `'${script('checkout-job')}' ${given} ${bell}` })
      return 'laminarc queue plain >/dev/null'
    }),
    make(
      'Laminar, checkout',
      LAMINAR,
      bare => `laminarc queue checkout REPOSITORY='${bare}' REVISION="$new" >/dev/null`,
    ),
    make('nq, checkout', ['nq'], bare => `nq -q ${checkout(bare)} >/dev/null`),
    make('task-spooler, checkout', ['tsp'], bare => `tsp ${checkout(bare)} >/dev/null`),
  ]
}

/** The outline of a CI in shell: a spool of its own, a hook of three lines, a maker and a taker that wait with inotify. */
function outline(ours: Ground, stage: Stage): Contender {
  return rival('outline in shell', ['inotifywait', 'tai64n'], () => {
    const ground = new Ground(stage)
    ground.git(ground.dir, 'clone', '-q', '--bare', ours.code, ground.path('pushed.git'))
    ground.git(ground.dir, 'init', '-q', '-b', 'main', 'steps')
    ground.ok('sh', ['-ec', `cat >steps/${STEP} && chmod +x steps/${STEP}`], {
      input: stepThatRings(ours.bell.path),
    })
    ground.git(ground.path('steps'), 'add', '-A')
    ground.git(ground.path('steps'), 'commit', '-q', '-m', 'steps')
    ground.init()
    const revs = join(ground.spool.revs, 'hello')
    const { tasks, jobs, root } = ground.spool
    const env = {
      BASS_RC: undefined,
      BASS_ROOT: join(script(''), '../../..'),
      REVS: revs,
      TASKS: join(root, 'tasks'),
      JOBS: join(root, 'jobs'),
      PROJ: ground.path('pushed.git'),
      STEPS: ground.path('steps'),
      ARCHS: ground.env['ARCH'],
    }
    installHook(
      ground.path('pushed.git'),
      `while read -r old new ref; do mkdir -p '${revs}'/$ref && : >'${revs}'/$ref/$new; done`,
    )
    ground.ok('mkdir', ['-p', join(revs, 'refs/heads/main'), jobs.tmp, ground.path('outline-slot')])
    ground.start(script('outline-maker'), [], { env })
    ground.start(script('outline-taker'), [], { env, cwd: 'outline-slot' })
    return async () => {
      const before = ground.ls('spool/tasks/old').length
      const { began, over } = push(ours, ground.path('pushed.git'))
      const { at } = await ours.bell.next()
      await over
      await ground.until(tasks.old, before + 1)
      return at - began
    }
  })
}
