import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { ROOT, Sandbox } from '../fixtures/sandbox.ts'

const EXAMPLE = readFileSync(join(ROOT, 'examples/rc'), 'utf8')

/** What a program sees with this settings file. */
function settings(sandbox: Sandbox, content: string): string[] {
  sandbox.ok('mkdir', ['-p', 'spool/conf'])
  writeFileSync(sandbox.path('spool/conf/rc'), content)
  return sandbox
    .ok('sh', ['-euc', '. "$BASS_ROOT/lib/rc"; exec env'], {
      env: { BASS_ROOT: ROOT, JOBTMP: undefined, POLL_INTERVAL: undefined, COMPRESSOR: 'gzip -1' },
    })
    .split('\n')
    .sort()
}

test('the settings file as it is changes nothing, and what it comments out are the defaults', async t => {
  const sandbox = new Sandbox(t)
  const defaults = settings(sandbox, '')
  t.same(settings(sandbox, EXAMPLE), defaults)
  const withoutEmpty = settings(sandbox, EXAMPLE.replace(/^#(?=[A-Z_]+=)/gm, '')).filter(
    line => !/^(PREPARE|RETENTION|SECRETS|STEP_[A-Z]+)=$/.test(line),
  )
  t.same(withoutEmpty, defaults)
})

test('it has every setting of the rc that is not of one host or one project alone', async t => {
  const rc = readFileSync(join(ROOT, 'lib/rc'), 'utf8').replace(/^ *#.*/gm, '')
  const names = new Set(
    [...rc.matchAll(/\bexport ([A-Z_]+)$/gm), ...rc.matchAll(/([A-Z_]+)="\$\{\1:-/g)].map(found => found[1]!),
  )
  for (const name of ['BASS_RC', 'SPOOL', 'TASKS', 'JOBS', 'REVS', 'PROJ', 'STEPS', 'ARCHS', 'LANG'])
    names.delete(name)
  t.ok(names.size > 15)
  for (const name of names) t.ok(EXAMPLE.includes(`\n#${name}=`), name)
})
