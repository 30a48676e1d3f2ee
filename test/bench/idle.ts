// What programs cost that have nothing to do: the processor time of a task-taker, a task-maker and a reaper in a spool
// with 100,000 tasks that are over and 1,000 that wait for another architecture, as a share of one core; with file
// events, and with the poll that a network file system needs. Prints a table.
//   node dist/test/bench/idle.js [SECONDS [DIRECTORY]]
// SECONDS: how long they are watched, 180. DIRECTORY: where the spools are made, $TMPDIR.

import { mkdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { makeRepository } from '../fixtures/repository.ts'
import { Sandbox } from '../fixtures/sandbox.ts'
import { SpoolMaker } from '../fixtures/spool-maker.ts'

const OVER = 100_000
const WAITING = 1000

/** How long programs may take to start and to look at everything once, in seconds. */
const START = 20

const PROGRAMS = ['slave/bin/task-taker', 'master/bin/task-maker', 'master/bin/reaper']

/** Processor time of a process, user and system, in seconds: proc(5) has it in hundredths. */
function processorTime(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function fill(box: Sandbox): void {
  const { tasks, jobs } = box.makeSpool()
  for (let number = 1; number <= OVER; number++) {
    for (const directory of [tasks.old, jobs.old]) mkdirSync(join(directory, `${number}:hello:v1:arch`))
  }
  const maker = new SpoolMaker(box.spool)
  for (let i = 1; i <= WAITING; i++) maker.waitingTask(`${OVER + i}:hello:v2:other`)
}

/** A spool with all programs at work in it; answers each with its pid. */
function start(box: Sandbox, how: string): { title: string; pid: number }[] {
  const { path } = makeRepository(box, 'first')
  fill(box)
  const env = { WATCH: how, POLL_INTERVAL: '1', PROJECT: 'hello', PROJ: path, ARCHS: 'other' }
  return PROGRAMS.map(program => {
    const name = basename(program)
    mkdirSync(box.path(name))
    return { title: `${name} | ${how}`, pid: box.start(program, [], { cwd: name, env }).pid }
  })
}

async function main([seconds = '180', directory]: string[]): Promise<void> {
  if (directory !== undefined) process.env['TMPDIR'] = directory
  const endings: (() => void | Promise<void>)[] = []
  try {
    const programs = ['events', 'poll'].flatMap(how =>
      start(new Sandbox({ teardown: end => endings.push(end) }), how),
    )
    const times = () => programs.map(({ pid }) => processorTime(pid))
    await sleep(START * 1000)
    const before = times()
    await sleep(Number(seconds) * 1000)
    const shares = times().map((time, i) => (100 * (time - before[i]!)) / Number(seconds))
    console.log(`${cpus()[0]!.model}, ${seconds} s`)
    console.log('| program | WATCH | of a core |\n| --- | --- | --- |')
    for (const [i, { title }] of programs.entries()) console.log(`| ${title} | ${shares[i]!.toFixed(3)} % |`)
  } finally {
    for (const end of endings) await end()
  }
}

void main(process.argv.slice(2))
