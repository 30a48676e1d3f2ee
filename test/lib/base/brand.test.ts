import { join } from 'node:path'
import { test } from 'tap'

import type { Path } from '../../../lib/base/brand.ts'
import { archiveTask } from '../../../lib/spool/archive.ts'
import { verdictOf } from '../../../lib/spool/job.ts'
import { recordRetry } from '../../../lib/spool/retry.ts'
import { spoolAt } from '../../../lib/spool/spool.ts'
import { isTaskId, parseTaskName } from '../../../lib/spool/task-name.ts'
import type { TaskId } from '../../../lib/spool/task-name.ts'
import { readIfThere } from '../../../lib/system/durable.ts'

const spool = spoolAt('/spool')
const text: string = '1:hello:v1:x'

// Nothing here is called: each line below that comment is an error if the compiler accepts it, and fails the build.
const refused: ((name: TaskId, job: Path) => unknown)[] = [
  // @ts-expect-error A name is no path.
  name => readIfThere(name),
  // @ts-expect-error A name is no path of a job.
  name => verdictOf(name),
  // @ts-expect-error A path is no name.
  (_, job) => archiveTask(spool, job),
  // @ts-expect-error What was joined is a path, and was not parsed.
  name => archiveTask(spool, join(spool.tasks.cur, name)),
  // @ts-expect-error Neither was any other text.
  () => archiveTask(spool, text),
  // @ts-expect-error The two are not exchanged.
  (name, job) => recordRetry(spool, name, job),
]

const accepted: ((name: TaskId, job: Path) => unknown)[] = [
  name => verdictOf(join(spool.jobs.cur, name)),
  (name, job) => recordRetry(spool, job, name),
  () => archiveTask(spool, parseTaskName(text)!.name),
  () => (isTaskId(text) ? archiveTask(spool, text) : undefined),
  () => archiveTask(spool, '1:hello:v1:x'),
]

test('the compiler refuses a name for a path, and a path or any text for a name', async t => {
  // That this file was compiled is the test; it names six refusals.
  t.equal(refused.length, 6)
  t.equal(accepted.length, 5)
})

test('a text is a name if it can be parsed', async t => {
  t.ok(isTaskId('1:hello:v1:x'))
  t.notOk(isTaskId('/spool/tasks/cur/1:hello:v1:x'))
  t.notOk(isTaskId('1:hello:v1'))
})
