// The process that waits in a room to become its next step.

import { closeSync, readFileSync, readSync } from 'node:fs'
import { test } from 'tap'

import type { ProcessEnd } from '../../../../lib/spool/job-files.ts'
import { PipePool } from '../../../../slave/run/places/pipes.ts'
import type { Room } from '../../../../slave/run/places/room.ts'
import { Rooms } from '../../../../slave/run/places/room.ts'
import { currentUmask, setUmask } from '../../../../lib/system/umask.ts'
import { eventually, lacks, Sandbox } from '../../../fixtures/sandbox.ts'

const skip = lacks('unshare') || lacks('perl')

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

const childrenOf = (pid: number): number[] =>
  read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number)

/** The children of the first processes of this program's rooms, as seen from here. */
const parked = (): number[] => childrenOf(process.pid).flatMap(childrenOf).flatMap(childrenOf)

/** A pid as the room's own processes see it. */
const inside = (pid: number): string => /^NSpid:.*\t(\d+)$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? ''

/** True if the room is as it was found, or cannot be, because another program's mount came or went since `mounts` were read. */
const isCleanBut = async (room: Room, mounts: string): Promise<boolean> =>
  (await room.isClean()) || read('/proc/self/mountinfo') !== mounts

async function open(t: ConstructorParameters<typeof Sandbox>[0]) {
  const box = new Sandbox(t)
  const mounts = read('/proc/self/mountinfo')
  const room = await new Rooms().take()
  t.teardown(() => room.close())
  const pipes = await room.pipes(new PipePool(), box.dir)
  /** Runs a shell in the room; returns how it ended and the last that it said. */
  const run = async (script: string, env: Record<string, string> = {}) => {
    const ends = pipes.map(pipe => pipe.open())
    try {
      const command = ['/bin/sh', '-c', script]
      const step = room.run(command, box.dir, { PATH: process.env['PATH']!, ...env })
      await step.started
      const end: ProcessEnd = await step.ended
      const bytes = Buffer.alloc(1000)
      return { end, said: bytes.toString('utf8', 0, readSync(ends[0]!.reader, bytes)).trim() }
    } finally {
      for (const fd of ends.flatMap(({ reader, writer }) => [reader, writer])) closeSync(fd)
    }
  }
  return { run, isClean: () => isCleanBut(room, mounts), room }
}

test('each step is a process that was there before, and the room is empty without it', { skip }, async t => {
  const { isClean, room, run } = await open(t)
  for (let i = 0; i < 3; i++) {
    const next = await eventually('one is parked', () => parked()[0])
    const pid = inside(next)
    t.same(await run('echo $$; exit 3'), { end: { code: 3 }, said: pid })
    t.equal(await isClean(), true)
    t.not(await eventually('another is', () => parked()[0]), next)
  }
  t.match(await run('sleep 300 >/dev/null 2>&1 & echo up'), { end: { code: 0 }, said: 'up' })
  t.equal(await room.isClean(), false)
})

test(
  'a step has the umask with which we were started, and ours stays what it is meanwhile',
  { skip },
  async t => {
    const before = currentUmask()
    setUmask(before ^ 0o070)
    const real = Object.getOwnPropertyDescriptor(process, 'umask')!
    t.teardown(() => {
      Object.defineProperty(process, 'umask', real)
      setUmask(before)
    })
    // Where it is switched for a spawn, a thread may be making a file.
    const value = () => t.fail('it is another one for a moment')
    Object.defineProperty(process, 'umask', { ...real, value })
    const { run } = await open(t)
    t.match((await run('umask')).said, new RegExp(`^0*${before.toString(8)}$`))
  },
)

test('one that is killed while it waits is no end of a step', { skip }, async t => {
  const { isClean, run } = await open(t)
  for (let i = 0; i < 20; i++) {
    const next = await eventually('one is parked', () => parked()[0])
    process.kill(next, 'SIGKILL')
    if (i % 2 === 0) await eventually('it is gone', () => read(`/proc/${next}/status`) === '')
    // Bit 12 is SIGPIPE, without which a pipeline in a shell fails where its reader has had enough.
    const script = 'grep -c "^SigIgn:.*[02468ace]...$" /proc/self/status'
    t.same(await run(script), { end: { code: 0 }, said: '1' })
    t.equal(await isClean(), true)
  }
})

test('a step is told more than a pipe holds, and what cannot start says why', { skip }, async t => {
  const { isClean, run } = await open(t)
  const long = 'x'.repeat(100_000)
  const env = Object.fromEntries([1, 2, 3].map(i => [`V${i}`, long]))
  t.same(await run('echo ${#V1} ${#V2} ${#V3}', env), { end: { code: 0 }, said: '100000 100000 100000' })
  t.equal(await isClean(), true)
  await t.rejects(run('true', { V: long + long }), { code: 'E2BIG' })
  t.equal(await isClean(), true)
  t.same(await run('echo $V', { V: 'after it' }), { end: { code: 0 }, said: 'after it' })
})
