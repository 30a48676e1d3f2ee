import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { followSettings } from '../../../bin/setup/follow.ts'
import { stateOfPrograms } from '../../../bin/setup/programs.ts'
import type { Program, Supervisor } from '../../../bin/setup/supervisor.ts'
import { eventually, ROOT, Sandbox } from '../../fixtures/sandbox.ts'

test('settings that could not be read are read again, though the file that changed is none of ours', async t => {
  const sandbox = new Sandbox(t)
  const { root } = sandbox.makeSpool()
  const env = { ...sandbox.env, SPOOL: root, BASS_ROOT: ROOT }
  process.env['BASS_ROOT'] = ROOT
  const followed: string[][] = []
  let end!: (code: number) => void
  const ended = new Promise<number>(done => (end = done))
  const follow = (programs: readonly Program[]) => followed.push(programs.map(({ name }) => name))
  const said: string[] = []
  const wish = { root, env, takers: 0, web: false }
  const state = stateOfPrograms(root, env)
  followSettings({ follow, ended } as unknown as Supervisor, wish, state, line => said.push(line), 100)
  t.teardown(() => end(0))
  mkdirSync(join(root, 'conf/hello'), { recursive: true })
  writeFileSync(join(root, 'conf/hello/rc'), `. '${sandbox.path('common')}'\nPROJECT=hello\n`)
  await eventually('it is said', () => said.length > 0)
  t.match(said[0], /^the programs go on with the settings that they have: .*conf\/hello\/rc/)
  t.same(followed, [])
  writeFileSync(sandbox.path('common'), 'ARCHS=testarch\n')
  await eventually('they are followed', () => followed.length > 0)
  t.ok(followed[0]!.includes('task-maker hello'))
  t.equal(said.length, 1, 'it is said once')
})
