// The demo of containers: the code names an image, and its steps run there. The image is made of programs of this machine,
// so that nothing is fetched.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { optional } from '../../lib/base/settings.ts'
import { askIf, findEngine } from '../../lib/container/engine.ts'
import { makeHostImage, runOnce } from '../../lib/exec/host-image.ts'
import { token } from '../../lib/system/durable.ts'
import { makeBare, makeContainerCode, push } from './push-code.ts'
import { playJob } from './push-play.ts'
import { tellLine, show, tell } from './stage.ts'
import type { Stage } from './stage.ts'

/** The variables that tell engines where they are and what to do. */
const OF_ENGINES = [
  ...['CONTAINER', 'CONTAINER_HOST', 'CONTAINERS_CONF', 'CONTAINERS_STORAGE_CONF', 'XDG_RUNTIME_DIR'],
  ...['DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG'],
]

/** All that the image has. */
const PROGRAMS = ['sh', 'cat', 'grep', 'ls', 'mkdir', 'tr', 'uname', 'wc']

/** Returns the exit code of the job; throws a lasting Fatal where there is no engine. */
export async function playContainer(stage: Stage, web: boolean): Promise<number> {
  const engine = findEngine()
  Object.assign(stage.env, { JOBTMP: stage.at('jobtmp'), REPORTER_LISTEN: '127.0.0.1:0' })
  mkdirSync(stage.at('jobtmp'))
  for (const name of OF_ENGINES) stage.env[name] = optional(name)
  const image = `bass-demo:${token()}`
  try {
    tellLine(`In ${stage.directory}:\n`)
    show(`tar -c ... | ${engine.name} import - ${image}`, `# ${PROGRAMS.join(' ')}, and their libraries`)
    await makeHostImage(engine, image, PROGRAMS)
    await runOnce(engine, image, ['/bin/sh', '-c', ':'])
    makeBare(stage.at('code.git'))
    const source = makeContainerCode(stage.at('code'), image)
    const init = ['init', 'spool', '--project', 'hello', '--code', 'code.git', '--hook']
    show(`bass ${init.join(' ')}`)
    await stage.bass(...init)
    show('cat code/.bass/image')
    tellLine(`  ${image}`)
    show('git -C code push ../code.git HEAD:main')
    const pushed = performance.now()
    push(source, stage.at('code.git'))
    return await playJob(stage, web, pushed, () => playExec(stage, image))
  } finally {
    await askIf(engine, 'remove the image', ['rmi', '--force', image])
  }
}

/** The same image for a command by hand. */
async function playExec(stage: Stage, image: string): Promise<void> {
  const script = 'tr a-z A-Z <greeting >loud'
  show(`cd code && bass exec --in ${image} -- sh -c '${script}'; cat loud`)
  await stage.run(stage.at('code'), join(stage.root, 'bin/bass'), [
    'exec',
    '--in',
    image,
    '--',
    'sh',
    '-c',
    script,
  ])
  await stage.run(stage.at('code'), 'cat', ['loud'])
  tell('loud', 'was made in another container, and came back')
}
