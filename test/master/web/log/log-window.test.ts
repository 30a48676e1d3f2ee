import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'tap'

import { formatLabel } from '../../../../lib/base/tai64n.ts'
import {
  formatLineName,
  formatPosition,
  parseLineName,
  parsePosition,
} from '../../../../master/web/log/line.ts'
import { WindowedLog } from '../../../../master/web/log/log-window.ts'
import type { LogWindow } from '../../../../master/web/log/log-window.ts'
import { logText, localLabel } from '../../../../master/web/log/text.ts'
import { fileBytes, openStepLog } from '../../../../lib/view/bytes.ts'
import { Sandbox } from '../../../fixtures/sandbox.ts'

const label = (n: number) => formatLabel(1_700_000_000_000 + n)
const START = { out: 0, err: 0 }

/** A step whose streams hold lines `[instant, text]`. */
function step(sandbox: Sandbox, out: [number, string][], err: [number, string][] = []): string {
  const directory = sandbox.path('step')
  mkdirSync(directory, { recursive: true })
  const text = (lines: [number, string][]) => lines.map(([at, line]) => `${label(at)} ${line}\n`).join('')
  writeFileSync(join(directory, 'stdout.txt'), text(out))
  writeFileSync(join(directory, 'stderr.txt'), text(err))
  return directory
}

const texts = ({ lines }: LogWindow) => lines.map(line => line.text.toString())

async function opened<T>(
  directory: string,
  use: (log: WindowedLog) => Promise<T>,
  whole = false,
): Promise<T> {
  const log = await WindowedLog.open(await openStepLog(file => fileBytes(join(directory, file))), whole)
  try {
    return await use(log)
  } finally {
    await log.close()
  }
}

test('both streams are one log, in the order of their labels', async t => {
  const directory = step(new Sandbox(t), [[0, 'a'], [2, 'c'], [4, 'e']], [[1, 'b'], [4, 'f']]) // prettier-ignore
  await opened(directory, async log => {
    const window = await log.forward(START, 10)
    t.same(texts(window), ['a', 'b', 'c', 'e', 'f'])
    t.same([window.first, window.last], [true, true])
    t.same(texts(await log.backward(log.size, 10)), ['a', 'b', 'c', 'e', 'f'])
  })
})

test('windows of any size, in either direction, are the whole log in order', async t => {
  const sandbox = new Sandbox(t)
  const lines = fc.array(fc.tuple(fc.nat(50), fc.string({ maxLength: 5 })), { maxLength: 30 })
  const ordered = (some: [number, string][]) =>
    some.map(([at, text]) => [at, text.replace(/\s/g, '_')] as [number, string]).sort(([a], [b]) => a - b)
  await fc.assert(
    fc.asyncProperty(lines, lines, fc.integer({ min: 1, max: 9 }), async (out, err, size) => {
      const directory = step(sandbox, ordered(out), ordered(err))
      await opened(directory, async log => {
        const all = texts(await log.forward(START, 1000))
        t.equal(all.length, out.length + err.length)
        const forward: string[] = []
        for (let at: LogWindow['to'] = START, more = true; more;) {
          const window = await log.forward(at, size)
          forward.push(...texts(window))
          ;[at, more] = [window.to, !window.last]
        }
        const backward: string[] = []
        for (let at: LogWindow['to'] = log.size, more = true; more;) {
          const window = await log.backward(at, size)
          backward.unshift(...texts(window))
          ;[at, more] = [window.from, !window.first]
        }
        t.same([forward, backward], [all, all])
        const { lines } = await log.forward(START, 1000)
        const found = []
        for (const line of lines) found.push(...(await log.forward(await log.before(line), 1)).lines)
        t.same(found.map(formatLineName), lines.map(formatLineName))
      })
    }),
    { numRuns: 15 },
  )
})

test('a line of many megabytes is cut in windows, and whole in plain text', async t => {
  const long = 'x'.repeat(3_000_000)
  const directory = step(new Sandbox(t), [[0, 'before'], [1, long], [2, 'behind']], [[3, 'error']]) // prettier-ignore
  await opened(directory, async log => {
    const window = await log.forward(START, 10)
    t.same(window.lines.map(line => line.cut), [false, true, false, false]) // prettier-ignore
    t.ok(window.lines[1]!.text.length < 20_000)
    t.equal(window.lines[2]!.text.toString(), 'behind')
    const back = await log.backward(log.size, 10)
    t.same(back.lines.map(formatLineName), window.lines.map(formatLineName))
    const pieces: Buffer[] = []
    for await (const piece of logText(log, false)) pieces.push(piece)
    t.equal(
      Buffer.concat(pieces).toString(),
      `${label(0)} before\n${label(1)} ${long}\n${label(2)} behind\n${label(3)} error\n`,
    )
  })
})

test('a line that is still being written is not there while the step runs, and is when it is over', async t => {
  const directory = step(new Sandbox(t), [[0, 'a']])
  appendFileSync(join(directory, 'stdout.txt'), `${label(1)} half`)
  t.same(await opened(directory, async log => texts(await log.forward(START, 9)), true), ['a'])
  t.same(await opened(directory, async log => texts(await log.forward(START, 9))), ['a', 'half'])
})

test('lines without labels stay behind the line they follow', async t => {
  const directory = step(new Sandbox(t), [[0, 'a']], [[5, 'b']])
  appendFileSync(join(directory, 'stdout.txt'), 'foreign\n@nonsense\n')
  t.same(await opened(directory, async log => texts(await log.forward(START, 9))), [
    'a',
    'foreign',
    '@nonsense',
    'b',
  ])
})

test('a search finds lines of both streams in order, and goes on where it stopped', async t => {
  const out = Array.from(
    { length: 3000 },
    (_, i) => [2 * i, i % 1000 === 7 ? 'a Needle' : `hay ${i}`] as [number, string],
  )
  const directory = step(new Sandbox(t), out, [[15, 'NEEDLE at 15'], [9000, 'last needle']]) // prettier-ignore
  await opened(directory, async log => {
    const first = await log.search('needle', START, 3)
    t.same(texts(first), ['a Needle', 'NEEDLE at 15', 'a Needle'])
    t.notOk(first.last)
    const second = await log.search('needle', first.to, 3)
    t.same(texts(second), ['a Needle', 'last needle'])
    t.ok(second.last)
    t.same(texts(await log.search('@4000', START, 3)), [], 'labels are not searched')
  })
})

test('any part of a long log is opened by reading little of it', async t => {
  const out = Array.from({ length: 40_000 }, (_, i) => [i, `out ${i} ${'.'.repeat(60)}`] as [number, string])
  const err = Array.from({ length: 400 }, (_, i) => [i * 100, `err ${i * 100}`] as [number, string])
  const directory = step(new Sandbox(t), out, err)
  await opened(directory, async log => {
    const window = await log.forward(await log.part(0.5), 300)
    const [, first] = window.lines[0]!.text.toString().split(' ')
    t.match(window.lines[0]!.text.toString(), /^out (19|20)\d{3} /)
    const at = Math.ceil(Number(first) / 100) * 100
    t.equal(texts(window).indexOf(`err ${at}`), at - Number(first) + 1, 'standard error is beside it')
  })
})

test('places and names of lines are read as they are written, and nothing else is', async t => {
  t.same(parsePosition(formatPosition({ out: 12, err: 3 })), { out: 12, err: 3 })
  t.same(parseLineName(formatLineName({ stream: 'err', at: 7 })), { stream: 'err', at: 7 })
  for (const text of [undefined, '', '1', '1,2,3', '-1,2', '1,x', '1e3,4'])
    t.equal(parsePosition(text), undefined)
  for (const text of [undefined, '', 'o', 'x1', 'o-1', 'e1.5']) t.equal(parseLineName(text), undefined)
})

test('a label as local time is what tai64nlocal prints', async t => {
  const date = new Date(1_700_000_000_123)
  const two = (n: number) => String(n).padStart(2, '0')
  const clock = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
  t.match(localLabel(formatLabel(1_700_000_000_123)), ` ${clock}.123000000`)
})

test('what labels hold too is found in the text alone', async t => {
  const [name, beginning] = [label(0), label(0).slice(0, 5)]
  const lines = Array.from({ length: 20_000 }, (_, i): [number, string] => [1, `line ${i % 1000}`])
  lines[12_345] = [1, `before ${beginning} behind`]
  const directory = step(new Sandbox(t), lines, [[0, name]])
  await opened(directory, async log => {
    const both = [name, `before ${beginning} behind`]
    t.same(texts(await log.search(beginning, START, 10)), both)
    t.same(texts(await log.search(beginning.slice(1), START, 10)), both)
    t.same(texts(await log.search(name, START, 10)), [name])
    t.same(texts(await log.search('line 7\nline', START, 10)), [])
  })
})

test('a search is bounded, goes on where it stopped, and ends with its asker', async t => {
  const filler = Array.from({ length: 20_000 }, (_, i): [number, string] => [i, 'x'.repeat(50)])
  const directory = step(new Sandbox(t), [...filler, [20_000, 'here'], ...filler.map(([n, x]): [number, string] => [n + 20_001, x])], [[5, 'here']]) // prettier-ignore
  await opened(directory, async log => {
    const gone = new AbortController()
    gone.abort()
    t.same((await log.search('here', START, 10, gone.signal)).to, START)
    const found: string[] = []
    let windows = 0
    for (let at: LogWindow['to'] = START, more = true; more; windows++) {
      const window = await log.search('here', at, 10, undefined, 300_000)
      found.push(...texts(window))
      ;[at, more] = [window.to, !window.last]
    }
    t.same(found, ['here', 'here'])
    t.ok(windows > 3, `${windows} windows`)
  })
})

test('a log that a step has replaced by something else is an empty one', { timeout: 10_000 }, async t => {
  const sandbox = new Sandbox(t)
  const directory = step(sandbox, [[0, 'a']])
  sandbox.ok('sh', [
    '-c',
    'cd step; rm stdout.txt stderr.txt; mkfifo stdout.txt; ln -s /etc/passwd stderr.txt',
  ])
  await opened(directory, async log => t.same(texts(await log.forward(START, 10)), []))
})
