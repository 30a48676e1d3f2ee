import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { readTakers } from '../../../lib/view/takers.ts'
import { Sandbox } from '../../fixtures/sandbox.ts'
import { SpoolMaker } from '../../fixtures/spool-maker.ts'

test('how a machine fares is shown while its taker lives, if it has said so', async t => {
  const { spool } = new Sandbox(t)
  const maker = new SpoolMaker(spool)
  const card = maker.taker({ host: 'mill', beat: 100_000 })
  const machine = (now = 100_500) => readTakers(spool, [], 1000, now)[0]?.machine
  const file = join(card, 'machine.txt')
  writeFileSync(file, 'load=0.5\ncpus=4\ndiskFree=0\ndiskSize=1000\nmore=of a later version\n')
  t.same(machine(), { load: 0.5, cpus: 4, diskFree: 0, diskSize: 1000 })
  t.equal(machine(102_000), null, 'it is silent')
  for (const half of [
    '',
    'load=0.5\ncpus=4\ndisk',
    'load=0.5\ncpus=4\ndiskFree=0\ndiskSize=10',
    'load=high\n',
  ]) {
    writeFileSync(file, half)
    t.equal(machine(), null, half)
  }
})
