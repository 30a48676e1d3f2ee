// Whether a directory is on a file system of this host alone. On those a look-up is as true as a listing, and the kernel
// tells of every change.

import { statfsSync } from 'node:fs'

import { tolerating } from '../base/errno.ts'

/** File systems whose other writers we get no events of: nfs, smb, cifs, fuse, 9p, ceph, lustre, gfs2, ocfs2 (statfs(2)). */
const NETWORK = new Set([
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x65735546, 0x01021997, 0x00c36400, 0x0bd00bd0, 0x01161970,
  0x7461636f,
])

/**
 * True if all changes of this directory are made by this kernel: then it reports all of them, and a look-up
 * is as true as a listing.
 */
export function isLocal(directory: string): boolean {
  const type = tolerating(['ENOENT'], () => statfsSync(directory).type)
  return process.platform === 'linux' && type !== undefined && !NETWORK.has(type >>> 0)
}
