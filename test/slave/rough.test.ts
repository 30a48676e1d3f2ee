// An executor where much is missing: another user, nothing to write, no /proc, a clock that is an hour off.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { writeS2 } from '../../lib/bundle/s2.ts'
import { bringBack } from '../../lib/exec/bring-back.ts'
import { launch } from '../../lib/exec/launch.ts'
import { tarOf } from '../../lib/exec/pack.ts'
import { napTime, running } from '../fixtures/conformance.ts'
import { clockOff, lacksFaketime, removeFaketime } from '../fixtures/faketime.ts'
import { eventually, lacks, ROOT, Sandbox } from '../fixtures/sandbox.ts'

const EXECUTOR = join(ROOT, 'slave/bin/executor')
const sealed = (...more: string[]) => [
  'bwrap',
  '--ro-bind',
  '/',
  '/',
  '--dev',
  '/dev',
  ...more,
  '--tmpfs',
  '/tmp',
  // This tree may be below one of them.
  '--ro-bind',
  ROOT,
  ROOT,
]
const needsRoot = process.getuid?.() === 0 ? false : 'needs root'

interface Rough {
  readonly where: string
  readonly skip: string | false
  readonly before: readonly string[]
  readonly place: string
  readonly env?: Record<string, string>
  /** What the command says of it. */
  readonly script: string
  readonly says: RegExp
}

const PLACES: readonly Rough[] = [
  {
    where: 'under another user',
    skip: needsRoot,
    before: ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups', 'env', 'TMPDIR=/tmp'],
    place: 'auto',
    script: 'id -un',
    says: /^nobody\n$/,
  },
  {
    where: 'with nothing to write but a temporary directory',
    skip: lacks('bwrap'),
    before: sealed('--proc', '/proc'),
    place: 'no',
    script: '(: >/new) 2>/dev/null || echo read-only',
    says: /^read-only\n$/,
  },
  {
    where: 'without /proc',
    skip: lacks('bwrap'),
    before: sealed('--tmpfs', '/proc'),
    place: 'auto',
    script: 'ls /proc | wc -l',
    says: /^0\n$/,
  },
  ...['+1h', '-1h'].map(off => ({
    where: `with a clock that is ${off} off`,
    skip: lacksFaketime(),
    before: [],
    place: 'auto',
    env: clockOff(off),
    script: 'true',
    says: /^$/,
  })),
]

for (const { where, skip, before, place, env, script, says } of PLACES) {
  test(
    `${where}, an executor runs commands, ends what they leave and tells what they changed`,
    { skip },
    async t => {
      const sandbox = new Sandbox(t)
      process.env['BUNDLE_MAX'] ??= '10M'
      mkdirSync(sandbox.path('from'))
      for (const name of ['same', 'gone', 'sly']) writeFileSync(sandbox.path('from', name), `${name}\n`)
      const launched = await launch('run it', [...before, EXECUTOR, 'stdio', place], {
        ...sandbox.env,
        ...(before.length > 0 ? { TMPDIR: '/tmp' } : {}),
        ...env,
      })
      const { client } = launched
      t.teardown(async () => {
        await launched.close()
        if (env) removeFaketime()
      })
      const nap = napTime()
      const root = `/tmp/bass-rough-${process.pid}-${nap}`
      const items = ['same', 'gone', 'sly'].map(name => ({ name, path: sandbox.path('from', name) }))
      t.equal(await client.put(root, writeS2(tarOf(items))), 3)
      let said = ''
      const work =
        'touch -r sly ../time-$$; echo LYS >sly; touch -r ../time-$$ sly; rm gone ../time-$$; echo new >new'
      const result = await client.execute(
        {
          command: ['sh', '-c', `${script}; ${work}; sleep ${nap} >/dev/null 2>&1 & exit 5`],
          directory: root,
          inherit: true,
          contentRoot: root,
          wantArchive: true,
          environment: { LD_PRELOAD: '' },
        },
        {
          output: (stream, data) => {
            if (stream === 1) said += data.toString()
          },
        },
      ).result
      t.match(result, { error: '', exitCode: 5 })
      t.match(said, says)
      t.same(result.deleted.map(String), ['gone'])
      mkdirSync(sandbox.path('back'))
      await bringBack(client, result, sandbox.path('back'), 'ignored', { maxBytes: 10 << 20 })
      t.same(sandbox.ls('back'), ['new', 'sly'])
      t.equal(readFileSync(sandbox.path('back/sly'), 'utf8'), 'LYS\n')
      await client.execute({ command: ['rm', '-r', root], inherit: true }).result
      await launched.close()
      await eventually('nothing is left', () => running(nap).length === 0, 10)
    },
  )
}
