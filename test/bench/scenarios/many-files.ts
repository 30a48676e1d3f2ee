// What an executor does with files: seeing what was changed among many, and packing much in flat memory.

import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { changesOf, listBefore, listTree } from '../../../lib/exec/listing.ts'
import { ROOT } from '../../fixtures/sandbox.ts'
import { rival } from '../rivals.ts'
import type { Scenario } from '../scenario.ts'
import { watch } from '../watch.ts'

const MiB = 1024 ** 2

const changesScenario: Scenario = {
  name: 'place-changes',
  about: 'what was changed among 100,000 files: both listings and the comparison',
  unit: 'ms',
  better: 'less',
  goal: { least: 2000, aim: 1000 },
  places: ['tmpfs', 'ext4'],
  rounds: { quick: 3, full: 8 },
  open: stage => {
    const root = join(stage.place.directory, 'many')
    for (let i = 0; i < 1000; i++) {
      mkdirSync(join(root, `d${i}`), { recursive: true })
      for (let j = 0; j < 100; j++) writeFileSync(join(root, `d${i}`, `f${j}`), 'text')
    }
    stage.teardown(() => rmSync(root, { recursive: true }))
    const find = `find '${root}' -printf '%P %y %m %s %T@ %C@ %i\\n' | sort`
    let round = 0
    const change = () => writeFileSync(join(root, 'd7/f7'), `text ${++round}`)
    return Promise.resolve({
      contenders: [
        {
          name: 'BASS',
          round: async () => {
            const began = performance.now()
            const before = await listBefore(root)
            change()
            const changes = changesOf(root, before, await listTree(root))
            if (changes.length !== 1) throw new Error(`${changes.length} changes`)
            return performance.now() - began
          },
        },
        {
          name: 'find and diff',
          round: async () => {
            const [one, two] = [`${root}-1`, `${root}-2`]
            const began = performance.now()
            await watch(['sh', '-c', `${find} >'${one}'`])
            change()
            await watch(['sh', '-c', `${find} >'${two}'; diff '${one}' '${two}' || true`])
            return performance.now() - began
          },
        },
      ],
    })
  },
}

const archiveScenario: Scenario = {
  name: 'place-archive',
  about: 'a .tar.s2 of 1 GB (100 MB in the quick form), memory flat',
  unit: 'MiB/s',
  better: 'more',
  goal: { least: 0.2, aim: 0.5, of: 'tar and zstd -1' },
  places: ['tmpfs'],
  rounds: { quick: 3, full: 5 },
  open: stage => {
    const [root, out] = [join(stage.place.directory, 'large'), join(stage.place.directory, 'archive')]
    mkdirSync(root)
    const mebibytes = stage.quick ? 100 : 1000
    // Text of this project, so that it can be compressed as code can, and no file like another.
    const text = Buffer.alloc(10 * MiB, ROOT + changesScenario.about)
    for (let i = 0; i < mebibytes / 10; i++) {
      for (let at = 0; at < text.length; at += 64) text.writeUInt32LE((at * 2654435761 + i) >>> 0, at)
      writeFileSync(join(root, `f${i}`), text)
    }
    stage.teardown(() => rmSync(root, { recursive: true }))
    const pack = join(ROOT, 'dist/test/bench/pack.js')
    let peak = 0
    const speed = (milliseconds: number) => (mebibytes / milliseconds) * 1000
    return Promise.resolve({
      contenders: [
        {
          name: 'BASS',
          round: async () => {
            const began = performance.now()
            const fd = openSync(out, 'w')
            const child = spawn(process.execPath, [pack, root], { stdio: ['ignore', fd, 'pipe'] })
            closeSync(fd)
            let said = ''
            child.stderr!.on('data', (data: Buffer) => (said += data.toString()))
            const code = await new Promise(done => child.on('close', done))
            if (code !== 0) throw new Error(said)
            peak = Math.max(peak, Number(said))
            return speed(performance.now() - began)
          },
          remark: () => `at most ${Math.round(peak)} MB of memory`,
        },
        rival('tar and zstd -1', ['zstd'], () => async () => {
          const { took } = await watch(['sh', '-c', `tar -C '${root}' -c . | zstd -q -1 -T1 >'${out}'`])
          return speed(took)
        }),
      ],
    })
  },
}

export const manyFilesScenarios: readonly Scenario[] = [changesScenario, archiveScenario]
