// A farm's jobs in a real container: the image that the code or the project names reaches the worker.

import tap, { test } from 'tap'

import { Farm } from '../fixtures/farm.ts'
import { lacksPodman, Podman } from '../fixtures/podman.ts'
import { eventually, Sandbox } from '../fixtures/sandbox.ts'

const skip = lacksPodman()
tap.setTimeout(300_000)

test(
  'the image of the code, or of the project before it, is where a worker runs steps and lines',
  { skip },
  async t => {
    const podman = new Podman(t, new Sandbox(t))
    const bash = { 'bin/bash': '#!/bin/sh\nexec sh "$@"\n' }
    for (const name of ['project', 'code']) podman.importBusybox(`${name}:1`, { name: `${name}\n`, ...bash })
    const farm = await Farm.make(t)
    let farmer = await farm.farmer()
    const said: string[] = []
    let worker = farm.worker(farmer.url, 'worker', podman.env)
    const build = async (files: Record<string, string>) => {
      const before = (await farm.db`select 1 from result`).length
      await farm.push(farmer.url, farm.commit(files))
      const verdicts = await farm.verdicts(before + 1, 120)
      const [{ num, steps } = { num: 0, steps: [] }] = await farm.db<
        { num: number; steps: { name: string }[] }[]
      >`select num, steps from result order by num desc limit 1`
      await eventually(
        'where it ran, on the page',
        () =>
          /runs in +image (code|project):1/.test(
            farm.run('bin/bass', ['show', String(num)], { env: { FARMER_URL: farmer.url } }).stdout,
          ),
        30,
      )
      t.equal(Object.values(verdicts).at(-1), 'success', worker.stderr())
      const log = `${farmer.url}/job/${num}/log/${steps[0]!.name}?plain`
      return (await (await fetch(log)).text()).replace(/^@\S+ /gm, '')
    }
    said.push(
      await build({ Testfile: 'line: cat /name; grep -c : /proc/net/dev\n', '.bass/image': 'code:1\n' }),
    )
    farm.ok('git', ['rm', '-q', 'Testfile'], { cwd: 'code' })
    farm.ok('mkdir', ['-p', 'code/.bass'])
    farm.ok('install', ['-m', '755', '/dev/null', 'code/.bass/step'])
    said.push(await build({ '.bass/step': '#!/bin/sh\ncat /name\n' }))
    await worker.kill('SIGTERM')
    await farmer.kill('SIGTERM')
    farm.settings({ IMAGE: 'project:1' })
    farmer = await farm.farmer()
    worker = farm.worker(farmer.url, 'worker', podman.env)
    said.push(await build({ more: '1' }))
    t.same(said, ['code\n1\n', 'code\n', 'project\n'])
    await worker.kill('SIGTERM')
    t.equal(podman.ask('ps', '--all', '--quiet'), '', 'nothing is left of them')
  },
)
