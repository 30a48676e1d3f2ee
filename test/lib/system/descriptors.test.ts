import { join } from 'node:path'
import { test } from 'tap'

import { ROOT } from '../../fixtures/sandbox.ts'
import { Site } from '../../fixtures/site.ts'

test('no descriptor that a taker was started with reaches a step', async t => {
  const box = new Site(t)
  const name = box.publish({ '10-look': 'readlink /proc/self/fd/* | grep secret; exec cat <&200' })
  const { PATH } = process.env
  const starter = join(ROOT, 'slave/bin/job-starter')
  // As the examples of flock do it.
  const script = 'echo secret >secret; exec 7<secret 200<secret; exec "$0" "$1"'
  box.ok('bash', ['-c', script, starter, name], { env: { PATH } })
  t.equal(box.log(name, '10-look'), '')
})
