import { test } from 'tap'

import { checkMount, mountOf } from '../../../bin/doctor/spool.ts'

const TABLE = String.raw`22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,discard
40 22 0:40 / /srv rw,relatime shared:2 - nfs4 host:/srv rw,vers=4.2,hard,proto=tcp
41 40 0:41 / /srv/a\040b rw - tmpfs none rw
42 22 0:42 / /mnt rw - nfs host:/x rw,vers=3,soft,timeo=600
43 22 0:43 / /mnt ro - nfs host:/y ro,vers=3,hard
`

test('the mount of a path is the deepest around it, and of those at one point the last', async t => {
  const table: [string, string, string][] = [
    ['/', '/', 'ext4'],
    ['/home/x', '/', 'ext4'],
    ['/srv', '/srv', 'nfs4'],
    ['/srv/bass', '/srv', 'nfs4'],
    ['/srvx', '/', 'ext4'],
    ['/srv/a b/spool', '/srv/a b', 'tmpfs'],
  ]
  for (const [path, point, type] of table) t.match(mountOf(path, TABLE), { point, type }, path)
  t.match(mountOf('/mnt/z', TABLE)?.options, ['ro', 'vers=3', 'hard'])
  t.equal(mountOf('/x', ''), undefined)
})

test('soft and read-only mounts are wrong, others are told', async t => {
  const judge = (type: string, ...options: string[]) => checkMount('/s', { point: '/s', type, options })
  t.match(judge('nfs4', 'rw', 'hard'), { ok: true, text: 'nfs4 at /s (rw,hard)' })
  t.match(judge('nfs', 'rw', 'soft'), { ok: false, text: /with 'soft'/, fix: /'hard'/ })
  t.match(judge('nfs', 'rw', 'softerr'), { ok: false })
  t.match(judge('ext4', 'ro'), { ok: false, fix: 'mount -o remount,rw /s' })
  t.match(judge('tmpfs', 'rw'), { ok: true, text: /gone after a power cut/ })
  t.match(checkMount('/s', undefined), { ok: true })
})
