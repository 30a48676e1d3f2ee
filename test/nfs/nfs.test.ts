// A spool on real NFS: a kernel is booted with a file server and three clients, and inside.ts runs in it. `npm test` has
// a short form, `npm run test:nfs` all of it.

import { join } from 'node:path'
import t, { test } from 'tap'

import { lacksLab } from '../fixtures/lab.ts'
import { ROOT } from '../fixtures/sandbox.ts'

const long = process.env['NFS'] === 'long'

const SHORT = ['tasks', 'cancel', 'cut', 'lies', 'hang']
const LONG = ['tasks', 'cancel', 'beat', 'doctor', 'deploy', 'cut', 'lies', 'hang', 'silence']
const PARTS = long
  ? { '3': ['tick', ...LONG], '4.2': [...LONG, 'reader'] }
  : { '3': ['tick', ...SHORT], '4.2': SHORT }

/** In milliseconds. */
const TIMEOUT = long ? 3_000_000 : 240_000

// Most of the time each of the two waits.
t.jobs = 2

for (const version of ['3', '4.2'] as const) {
  const skip = lacksLab('rpc.nfsd', 'mount.nfs', 'tc', 'fsfreeze')
  test(`NFS ${version}`, { skip, buffered: true }, async t => {
    const program = join(ROOT, 'dist/test/nfs/inside.js')
    const env = ['TMPDIR=/dev/shm', `TAP_TIMEOUT=${TIMEOUT / 1000}`, `NFS=${long ? 'long' : 'short'}`]
    const inside = ['env', ...env, process.execPath, program, ...PARTS[version]]
    await t.spawn(join(ROOT, 'test/lab/run'), ['-n', version, ...inside], { timeout: TIMEOUT }, 'inside')
  })
}
