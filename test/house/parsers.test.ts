// Everything that is read from a file, a name or a setting is read by a function `parse...`: what somebody wrote is
// understood, or answered with undefined or one sentence, and read back as it was written. The tests of the one or the
// other say what it means.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'tap'

import { parsePrivateName } from '../../lib/spool/claim.ts'
import { parseEnvironment } from '../../bin/parts/env-file.ts'
import { Fatal } from '../../lib/base/exit.ts'
import { parseCommit } from '../../lib/git/commit.ts'
import { GitError } from '../../lib/git/process.ts'
import { parsePointer } from '../../master/make/lfs.ts'
import { parseTree } from '../../lib/git/tree.ts'
import { formatEnd } from '../../lib/spool/job-files.ts'
import { formatOwner, parseOwner } from '../../lib/spool/job.ts'
import { CAUSES, formatRetryOf, parseRetryOf } from '../../lib/spool/retry.ts'
import { BadDelivery } from '../../lib/forge/forge.ts'
import { parseForge } from '../../lib/forge/parse-forge.ts'
import { parseDuration, parseListen, parseSize } from '../../lib/base/settings.ts'
import { parseTasks } from '../../lib/spool/spool.ts'
import { formatLabel, parseLabel } from '../../lib/base/tai64n.ts'
import { parseTaskName } from '../../lib/spool/task-name.ts'
import type { TaskId } from '../../lib/spool/task-name.ts'
import { formatParams, parseParams } from '../../lib/spool/event.ts'
import { parseLimits } from '../../lib/spool/limits.ts'
import { parseExit } from '../../lib/view/view.ts'
import { parseTestfile } from '../../lib/testfile/testfile.ts'
import { formatDecision, parseDecision } from '../../master/make/record.ts'
import { parseDelivery } from '../../master/receive/delivery.ts'
import { formatMade, parseMade } from '../../master/fetch/record.ts'
import { formatLineName, formatPosition, parseLineName, parsePosition } from '../../master/web/log/line.ts'
import { formatEnvironment } from '../../slave/run/environment.ts'
import { parseAge } from '../../bin/jci/share/age.ts'
import { parseRunRef } from '../../lib/jci/run-ref.ts'
import { parseStatus } from '../../lib/jci/run-ref.ts'
import { parseEntries } from '../../bin/jci/cron/entries.ts'
import { parseCommands } from '../../bin/jci/server/door.ts'
import { parsePath } from '../../bin/jci/web/app.ts'
import { ROOT } from '../fixtures/sandbox.ts'

const PARSERS: Readonly<Record<string, (text: string) => unknown>> = {
  parseAge,
  parseCommands: text => parseCommands(Buffer.from(text)),
  parseCommit: text => parseCommit(Buffer.from(text)),
  parseDecision,
  parseDelivery: text => parseDelivery(Buffer.from(text)),
  parseDuration,
  parseEntries,
  parseEnvironment,
  parseExit,
  parseForge,
  parseLabel,
  parseLimits,
  parseLineName,
  parseListen,
  parseMade,
  parseOwner,
  parseParams,
  parsePath,
  parsePointer,
  parsePosition,
  parsePrivateName,
  parseRetryOf,
  parseRunRef,
  parseSize,
  parseStatus,
  parseTaskName,
  parseTree: text => parseTree(Buffer.from(text), 40, ''),
  parseTestfile,
  parseTasks: text => parseTasks(text === '' ? [] : ['1:p:v:a'], text),
}

test('every parser of the tree is here', async t => {
  const sources = ['lib', 'master', 'slave', 'bin'].flatMap(place =>
    readdirSync(join(ROOT, place), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts'))
      .map(name => readFileSync(join(ROOT, place, name), 'utf8')),
  )
  const found = sources.flatMap(text => [...text.matchAll(/^export (?:function|const) (parse\w+)/gm)])
  t.same(found.map(match => match[1]).sort(), Object.keys(PARSERS).sort())
})

/** Anything, and what looks much like what is meant. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.stringMatching(/^[-01a@:=.,'"\\\n ]*$/),
  fc
    .array(
      fc.constantFrom(
        '1',
        ':',
        'a',
        '=',
        '\n',
        "'",
        '***',
        'lost',
        'signal',
        '@4000',
        'pid=',
        'failed',
        '\0',
        ' ',
      ),
      { maxLength: 30 },
    )
    .map(words => words.join('')),
)

/** False if the parser throws anything but one sentence. */
function isCalm(parse: (text: string) => unknown, given: string): boolean {
  try {
    parse(given)
    return true
  } catch (error) {
    return (
      (error instanceof Fatal || error instanceof GitError || error instanceof BadDelivery) &&
      !error.message.includes('\n')
    )
  }
}

for (const [name, parse] of Object.entries(PARSERS)) {
  test(`${name}: no text makes it throw anything but one sentence`, async t => {
    fc.assert(
      fc.property(text, given => isCalm(parse, given)),
      { numRuns: 500 },
    )
    for (const long of ["a='", "'=a\n", '1:'])
      t.ok(isCalm(parse, "A='" + long.repeat(100_000)), 'nor a long one')
  })
}

const token = fc.stringMatching(/^[0-9a-f]{16}$/)
const part = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+~@-]{0,30}$/)
const taskName = fc
  .tuple(fc.nat(), part, part, part, fc.option(part, { nil: undefined }))
  .map(([num, ...parts]) => [num, ...parts.filter(one => one !== undefined)].join(':') as TaskId)
const line = fc.string({ unit: 'grapheme' }).filter(one => !/[\n\r\0]/.test(one))
/** In an event, these too are line breaks, and become spaces. */
const eventLine = line.filter(one => !/[\u2028\u2029]/.test(one))
const time = fc.integer({ min: 0, max: 4_102_444_800_999 })

/** fast-check's records have no prototype. */
const same = (read: object | undefined, written: object) => assert.deepEqual({ ...read }, { ...written })

/** What is written and read again must be what it was. */
const ROUND_TRIPS: Readonly<Record<string, fc.IProperty<unknown>>> = {
  'the label of an instant': fc.property(time, instant => {
    assert.equal(parseLabel(formatLabel(instant)), instant)
  }),
  'the owner of a job': fc.property(
    fc.record({ host: part, boot: part, slot: line, pid: fc.nat(), start: part, namespace: part, token }),
    owner => same(parseOwner(formatOwner(owner)), owner),
  ),
  'whose retry a task is': fc.property(
    fc.record({ parent: taskName, cause: fc.constantFrom(...CAUSES), tries: fc.nat(999_999_999) }),
    retry => same(parseRetryOf(formatRetryOf(retry)), retry),
  ),
  'an event that was made': fc.property(
    fc.record({
      id: part,
      again: fc.nat(),
      revision: token,
      ref: fc.string({ unit: 'binary', minLength: 1 }).filter(ref => !ref.includes('\n')),
    }),
    event => same(parseMade(formatMade(event)), event),
  ),
  'a decision about an event': fc.property(
    fc.oneof(
      fc.record({ batch: token, names: fc.array(taskName, { minLength: 1 }) }),
      fc.record({ failed: line.filter(why => why === why.trim()) }),
    ),
    decision => same(parseDecision(formatDecision(decision)), decision),
  ),
  'the private name of a job': fc.property(taskName, token, (name, token) => {
    same(parsePrivateName(`${name}.${token}`), { name, token })
  }),
  'how a step ended': fc.property(
    fc.oneof(
      fc.record({ code: fc.nat(255) }),
      fc.record({ signal: fc.stringMatching(/^[A-Z][A-Z0-9]{2,6}$/) }),
    ),
    end =>
      same(
        { ...parseExit(formatEnd(end)), state: '' },
        { ...('code' in end ? { exit: end.code } : end), state: '' },
      ),
  ),
  'an environment': fc.property(
    fc.dictionary(
      fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,9}$/),
      fc.string({ unit: 'binary' }).filter(value => value !== '***' && !/[\0\p{Cs}]/u.test(value)),
    ),
    values =>
      same(
        Object.entries(parseEnvironment(formatEnvironment({ values, secrets: [] }))).sort(),
        Object.entries(values).sort(),
      ),
  ),
  'the lines of an event': fc.property(fc.dictionary(fc.stringMatching(/^\w+$/), eventLine), values =>
    same(Object.entries(parseParams(formatParams(values))).sort(), Object.entries(values).sort()),
  ),
  'a place in a log': fc.property(fc.record({ out: fc.nat(), err: fc.nat() }), place =>
    same(parsePosition(formatPosition(place)), place),
  ),
  'a line of a log': fc.property(
    fc.record({ stream: fc.constantFrom('out' as const, 'err' as const), at: fc.nat() }),
    name => same(parseLineName(formatLineName(name)), name),
  ),
}

for (const [what, property] of Object.entries(ROUND_TRIPS)) {
  test(`${what}: read back as it was written`, async t => {
    fc.assert(property)
    t.pass()
  })
}
