// The spool as this host sees it: its file system, whether that does what we rely on, and what may be written.

import {
  accessSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'

import { fsyncPath, linkOnce, token, writeNew } from '../../lib/system/durable.ts'
import { remove } from '../../lib/system/remove.ts'
import { listIfThere } from '../../lib/system/listing.ts'
import { isErrno, reasonOf, tolerating } from '../../lib/base/errno.ts'
import { setting } from '../../lib/base/settings.ts'
import { shellQuote } from '../../lib/base/shell-quote.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import { fine, wrong } from './finding.ts'
import type { Finding } from './finding.ts'

export interface Mount {
  readonly point: string
  readonly type: string
  readonly options: readonly string[]
}

/** The mount that an absolute path without symlinks is on; `table` is as /proc/self/mountinfo. Pure. */
export function mountOf(path: string, table: string): Mount | undefined {
  const mounts = table.split('\n').flatMap(line => {
    const [head, tail] = line.split(' - ')
    const [, , , , point, options] = head!.split(' ')
    const [type, , more] = tail?.split(' ') ?? []
    if (point === undefined || type === undefined) return []
    const plain = point.replace(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)))
    return { point: plain, type, options: [...new Set(`${options!},${more ?? ''}`.split(','))] }
  })
  // A later mount at the same point hides an earlier one.
  return mounts
    .filter(({ point }) => point === '/' || path === point || path.startsWith(`${point}/`))
    .reduce<Mount | undefined>(
      (best, mount) => (best && best.point.length > mount.point.length ? best : mount),
      undefined,
    )
}

/** Judges the mount options of the spool. Pure. */
export function checkMount(root: string, mount: Mount | undefined): Finding {
  if (!mount) return fine('file-system', root, 'this system does not tell')
  const { point, type, options } = mount
  const text = `${type} at ${point} (${options.join(',')})`
  const remount = (option: string) => `mount -o remount,${option} ${shellQuote(point)}`
  if (options.includes('ro')) return wrong('file-system', root, `${text}: it is read-only`, remount('rw'))
  if (options.some(option => option.startsWith('soft')))
    return wrong(
      'file-system',
      root,
      `${text}: with 'soft' a slow server makes calls fail that were done`,
      `mount it with 'hard' in /etc/fstab`,
    )
  if (type === 'tmpfs') return fine('file-system', root, `${text}; all of it is gone after a power cut`)
  return fine('file-system', root, text)
}

const partsOf = (spool: Spool): string[] => [
  ...Object.values(spool.tasks),
  spool.ctr,
  ...Object.values(spool.jobs),
  spool.revs,
  ...listIfThere(spool.revs).map(name => join(spool.revs, name)),
  spool.takers,
  spool.pause,
]

export function checkFileSystem(spool: Spool): Finding[] {
  const table = tolerating(['ENOENT', 'EACCES'], () => readFileSync('/proc/self/mountinfo', 'utf8')) ?? ''
  const root = tolerating(['ENOENT'], () => realpathSync(spool.root)) ?? spool.root
  const device = deviceOf(spool.tasks.cur)
  const strange = partsOf(spool).filter(path => ![device, undefined].includes(deviceOf(path)))
  return [
    checkMount(spool.root, mountOf(root, table)),
    ...strange.map(path =>
      wrong(
        'file-system',
        path,
        `it is not on the file system of ${spool.tasks.cur}`,
        'put all of a spool on one',
      ),
    ),
  ]
}

const deviceOf = (path: string) => tolerating(['ENOENT', 'ENOTDIR'], () => statSync(path).dev)

/** Tries, in a directory for what is half-made, what the protocol stands on. */
export function checkAtomic(directory: string): Finding {
  const place = join(directory, `.doctor-${token()}`)
  const at = (name: string) => join(place, name)
  try {
    mkdirSync(place)
    writeNew(at('file'), 'x')
    if (!linkOnce(at('file'), at('link'))) throw new Error('link(2) did not make a name')
    if (!refuses(() => linkSync(at('file'), at('link'))))
      throw new Error('link(2) takes a name that is taken')
    mkdirSync(at('one'))
    mkdirSync(at('two'))
    writeNew(at('two/file'), 'x')
    if (!refuses(() => renameSync(at('one'), at('two'))))
      throw new Error('rename(2) replaces a directory that is not empty')
    renameSync(at('two'), at('three'))
    if (listIfThere(place).sort().join(' ') !== 'file link one three')
      throw new Error('rename(2) does not rename')
    fsyncPath(place)
    fsyncPath(directory)
    return fine('atomic', directory, 'rename, link and fsync do what is needed')
  } catch (error) {
    const { syscall } = error as NodeJS.ErrnoException
    const why = `${syscall === undefined ? '' : `${syscall}: `}${reasonOf(error)}`
    return wrong('atomic', directory, why, 'put the spool on a file system such as ext4, xfs, btrfs or NFS')
  } finally {
    remove(place)
  }
}

function refuses(action: () => void): boolean {
  try {
    action()
    return false
  } catch (error) {
    if (isErrno(error, 'EEXIST', 'ENOTEMPTY')) return true
    throw error
  }
}

/** Checks what must be writable for us, and what must not be writable for others. */
export function checkDirectories(spool: Spool, env: NodeJS.ProcessEnv): Finding[] {
  const needed = [...partsOf(spool), setting('JOBTMP', env)].map(path => checkWritable(path, spool))
  const conf = join(spool.root, 'conf')
  const open = [
    conf,
    ...listIfThere(conf).flatMap(name => [join(conf, name), join(conf, name, 'rc')]),
  ].filter(isOpen)
  return [
    ...needed,
    ...open.map(path =>
      wrong('directory', path, 'others can write what is run as sh', `chmod go-w ${shellQuote(path)}`),
    ),
  ]
}

function checkWritable(path: string, spool: Spool): Finding {
  try {
    accessSync(path, constants.W_OK | constants.X_OK)
    return fine('directory', path, 'can be written')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) {
      const fix = path.startsWith(`${spool.root}/`)
        ? `bass init ${shellQuote(spool.root)}`
        : `mkdir -p ${shellQuote(path)}`
      return wrong('directory', path, 'it is not there', fix)
    }
    const fix = `chgrp and 'chmod g+ws' it for the group of masters and slaves, or log in as one of them`
    return wrong('directory', path, `it cannot be written: ${reasonOf(error)}`, fix)
  }
}

const isOpen = (path: string) =>
  ((tolerating(['ENOENT', 'ENOTDIR'], () => lstatSync(path).mode) ?? 0) & 0o022) !== 0
