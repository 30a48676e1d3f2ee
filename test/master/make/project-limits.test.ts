import { mkdirSync, writeFileSync } from 'node:fs'
import { test } from 'tap'

import { projectLimits } from '../../../master/make/project-limits.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'

test('the limits of a project are those of its own file, and not those of all projects', t => {
  const sandbox = new Sandbox(t)
  sandbox.makeSpool()
  const { spool } = sandbox
  t.same(projectLimits(spool, 'hello'), {}, 'without a file')
  mkdirSync(`${spool.root}/conf/hello`, { recursive: true })
  writeFileSync(`${spool.root}/conf/rc`, 'LOG_MAX=1M\nJOB_TIMEOUT=1h\n')
  const rc = (text: string) =>
    writeFileSync(`${spool.root}/conf/hello/rc`, `. "\${BASS_RC%/*/*}/rc"\n${text}`)
  rc('PROJ=/srv/hello\n')
  t.same(projectLimits(spool, 'hello'), {})
  rc('PROJ=/srv/hello\nSTEP_TIMEOUT=5m\nJOB_TIMEOUT=2h\nARTIFACTS_MAX=10G\nLOST_AFTER=5\n')
  t.same(projectLimits(spool, 'hello'), { STEP_TIMEOUT: '5m', JOB_TIMEOUT: '2h', ARTIFACTS_MAX: '10G' })
  rc("STEP_TIMEOUT='five minutes'\n")
  t.throws(() => projectLimits(spool, 'hello'), { exitCode: 100, message: /STEP_TIMEOUT.*five minutes/ })
  t.end()
})

test('a settings file may end with a test that is false, and one that cannot be read has no limits to ignore', t => {
  const sandbox = new Sandbox(t)
  const { root } = sandbox.makeSpool()
  mkdirSync(`${root}/conf/hello`, { recursive: true })
  writeFileSync(`${root}/conf/rc`, 'JOB_TIMEOUT=1h\n[ -n "" ] && JOB_TIMEOUT=2h\n')
  const rc = (text: string) => writeFileSync(`${root}/conf/hello/rc`, `. "\${BASS_RC%/*/*}/rc"\n${text}`)
  rc('IMAGE=debian\n[ -d /nowhere ] && PATH=/nowhere:$PATH\n')
  t.same(projectLimits(sandbox.spool, 'hello'), { IMAGE: 'debian' })
  for (const text of ['IMAGE=debian\nif\n', '. /nowhere/rc\nIMAGE=debian\n']) {
    rc(text)
    t.throws(() => projectLimits(sandbox.spool, 'hello'), { exitCode: 100, message: /conf\/hello\/rc/ })
  }
  t.end()
})
