// What 100,000 jobs that are over cost those who look at the spool all day: `node dist/test/bench/many-old.js [COUNT]`,
// in TMPDIR. Prints a line for each figure.

import { readFileSync, writeFileSync } from 'node:fs'

import { serve } from '../fixtures/browser.ts'
import { Notified } from '../fixtures/notified.ts'

const COUNT = Number(process.argv[2] ?? 100_000)
/** So many requests, one after the other, make a median. */
const REQUESTS = 50
/** How long an idle program is watched, in seconds. */
const IDLE = 60
/** Clock ticks a second of /proc (getconf CLK_TCK). */
const TICKS = 100

const print = (what: string, figure: string) => process.stdout.write(`${what.padEnd(52)}${figure}\n`)
const seconds = (from: number) => ((performance.now() - from) / 1000).toFixed(2)

/** The most memory a process ever had, in MB. */
const peak = (pid: number) =>
  Math.round(Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024)

/** Seconds of processor time that a process has used. */
function processorTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS
}

async function main(): Promise<void> {
  const cleanUps: (() => void | Promise<void>)[] = []
  try {
    const site = new Notified({ teardown: cleanUp => cleanUps.unshift(cleanUp) })
    site.channel('log', 'true')
    await (await site.notifier()).kill()
    for (let num = 1; num <= COUNT; num++) {
      const name = `${num}:hello:v${Math.ceil(num / 2)}:${num % 2 ? 'linux-x86_64' : 'linux-aarch64'}`
      site.maker.finishedJob(name, {
        ref: `refs/heads/topic-${num % 100}`,
        claimed: Date.now() - (COUNT - num) * 1000,
      })
    }
    await pages(site)
    await notices(site)
  } finally {
    for (const cleanUp of cleanUps) await cleanUp()
  }
}

async function pages(site: Notified): Promise<void> {
  const from = performance.now()
  const { url, running } = await serve(site)
  const front = async () => (await fetch(url)).text()
  if (!(await front()).includes(`/job/${COUNT}"`)) throw new Error('the newest is not on the front page')
  print('reporter, start to the newest on the front page', `${seconds(from)} s`)
  const spans: number[] = []
  for (let i = 0; i < REQUESTS; i++) {
    const asked = performance.now()
    await front()
    spans.push(performance.now() - asked)
  }
  spans.sort((a, b) => a - b)
  print('front page while the rest is read, median and most', `${spans[REQUESTS >> 1]!.toFixed(0)}, ${spans.at(-1)!.toFixed(0)} ms`) // prettier-ignore
  for (;;) {
    const metrics = await (await fetch(`${url}/metrics`)).text()
    const known = [...metrics.matchAll(/^bass_tasks\{.*state="success"\} (\d+)$/gm)].map(match =>
      Number(match[1]),
    )
    if (known.reduce((a, b) => a + b, 0) >= COUNT) break
    await new Promise(done => setTimeout(done, 500))
  }
  print('start to all read', `${seconds(from)} s`)
  print('memory at most', `${peak(running.pid)} MB`)
  await running.kill()
}

async function notices(site: Notified): Promise<void> {
  // As it has told of all of them, one after the other.
  const done = site.path('spool/notices/hello/program-log/done')
  for (let num = 1; num <= COUNT; num++) writeFileSync(`${done}/${num}.over`, '')
  const again = performance.now()
  const running = await site.notifier()
  print('notifier, start', `${seconds(again)} s`)
  await new Promise(done => setTimeout(done, 5000))
  const before = processorTime(running.pid)
  await new Promise(done => setTimeout(done, IDLE * 1000))
  print(`notifier, idle for ${IDLE} s, part of a core`, `${((100 * (processorTime(running.pid) - before)) / IDLE).toFixed(3)} %`) // prettier-ignore
  print('memory at most', `${peak(running.pid)} MB`)
  await running.kill()
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exitCode = 1
})
