// Every program that runs for long ends with one line and 111 when something is thrown that nobody catches: whoever looks
// after it can start it again, and reads why.

import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { Notified } from '../fixtures/notified.ts'
import { ROOT } from '../fixtures/sandbox.ts'

const PROGRAMS: Readonly<Record<string, Record<string, string>>> = {
  'master/bin/task-maker': { ARCHS: 'testarch' },
  'master/bin/reaper': {},
  'master/bin/notifier': {},
  'master/bin/reporter': { REPORTER_LISTEN: '127.0.0.1:0' },
  'master/bin/fetcher': {},
  'slave/bin/task-taker': {},
}

for (const [i, [program, settings]] of Object.entries(PROGRAMS).entries()) {
  const BOMB = i % 2 === 0 ? 'timer' : 'promise'
  test(`${program} ends with one line and 111 when something is thrown in a ${BOMB}`, async t => {
    const site = new Notified(t)
    site.configure({ PROJ: site.path('code.git'), FORGE: 'git:/nowhere.git', FORGE_POLL: '0' })
    site.channel('a')
    mkdirSync(site.path('slot'))
    site.git(site.dir, 'init', '-q', '--bare', 'code.git')
    const env = {
      PROJ: site.path('code.git'),
      REVS: join(site.spool.revs, 'hello'),
      ...settings,
      BOMB,
      NODE_OPTIONS: `--require=${join(ROOT, 'dist/test/fixtures/bomb.js')}`,
    }
    const { code, stderr } = await site.start(program, [], { cwd: 'slot', env }).ended
    t.equal(code, 111)
    const name = program.replace(/.*\//, '')
    const lines = stderr.split('\n').filter(line => !line.includes(': info: '))
    t.equal(lines.length, 2, stderr)
    t.match(lines[0], new RegExp(`^${name}: fatal: unable to go on: Error: nobody.+foresaw this`))
  })
}

test('no program is without that net', t => {
  for (const room of ['master', 'slave'])
    for (const name of readdirSync(join(ROOT, room, 'bin'))) {
      const source = readFileSync(join(ROOT, room, `${name}.ts`), 'utf8')
      t.match(source, /\nif \(require\.main === module\) runMain\(\w+(, 'small')?\)\n$/, `${room}/${name}`)
    }
  t.end()
})
