import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { test } from 'tap'

import { makeWork, removeWork, workOf } from '../../../slave/run/work.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

/** A temporary directory as steps may leave it, and a file outside that a link in it leads to. */
function make(t: ConstructorParameters<typeof Sandbox>[0]) {
  const box = new Sandbox(t)
  const work = workOf(box.path('jobtmp'), '0123456789abcdef')
  makeWork(work)
  mkdirSync(`${work}/code/deep/er`, { recursive: true })
  writeFileSync(`${work}/code/deep/er/file`, '')
  mkdirSync(box.path('outside'))
  writeFileSync(box.path('outside/precious'), '')
  symlinkSync(box.path('outside'), `${work}/code/link`)
  return { box, work }
}

test('the temporary directory of a job goes, whatever is in it, and nothing else', async t => {
  const cases: Record<string, (work: string, box: Sandbox) => void> = {
    'as it is': () => undefined,
    'without a right to write': work => {
      chmodSync(`${work}/code/deep/er`, 0)
      chmodSync(`${work}/code`, 0o500)
    },
    'with a name that is not UTF-8': work => writeFileSync(Buffer.from(`${work}/code/b\xe9d`, 'latin1'), ''),
    'with a name like an option': work => writeFileSync(`${work}/--help`, ''),
    'as a link': (work, box) =>
      box.ok('sh', ['-c', `rm -r '${work}' && ln -s '${box.path('outside')}' '${work}'`]),
  }
  for (const [name, spoil] of Object.entries(cases)) {
    await t.test(name, async t => {
      const { box, work } = make(t)
      spoil(work, box)
      await removeWork(work)
      t.notOk(existsSync(work))
      t.ok(existsSync(box.path('outside/precious')))
    })
  }
})

test('one that is gone is no error', async t => {
  const { box, work } = make(t)
  box.ok('rm', ['-r', work])
  await removeWork(work)
})

test(
  'a part that another user owns is removed without going by paths',
  { skip: process.getuid!() !== 0 && 'needs root' },
  async t => {
    const { box, work } = make(t)
    const path = process.env['PATH']!
    mkdirSync(box.path('bin'))
    writeFileSync(
      box.path('bin/rm'),
      `#!/bin/sh\necho "$@" >>'${box.path('calls')}'\nPATH='${path}' exec rm "$@"\n`,
      { mode: 0o755 },
    )
    process.env['PATH'] = `${box.path('bin')}:${path}`
    t.teardown(() => (process.env['PATH'] = path))
    await removeWork(work)
    t.notOk(existsSync(box.path('calls')), 'all was ours')
    makeWork(work)
    mkdirSync(`${work}/code`)
    chownSync(`${work}/code`, 65534, 65534)
    await removeWork(work)
    t.equal(readFileSync(box.path('calls'), 'utf8'), `-rf -- ${work}\n`)
    t.notOk(existsSync(work))
  },
)
