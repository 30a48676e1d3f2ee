// Where it is measured: in memory, and on a journaled ext4. That is a file mounted as a disk, itself in memory unless
// BENCH_DISK names a directory on a real disk: then figures are those of that disk.

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { reasonOf } from '../../lib/base/errno.ts'

export interface Place {
  readonly name: 'tmpfs' | 'ext4'
  readonly directory: string
  close(): void
}

const MEMORY = '/dev/shm'
const SIZE = 6 * 1024 ** 3

/** Undefined, and a sentence on standard error, where this machine has no such place. */
export function openPlace(name: Place['name']): Place | undefined {
  try {
    return name === 'tmpfs' ? openMemory() : openExt4()
  } catch (error) {
    process.stderr.write(`bench: nothing is measured on ${name}: ${reasonOf(error)}\n`)
    return undefined
  }
}

function openMemory(): Place {
  const directory = mkdtempSync(join(MEMORY, 'bass-bench-'))
  return {
    name: 'tmpfs',
    directory,
    close: () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }),
  }
}

function openExt4(): Place {
  if (process.getuid?.() !== 0) throw new Error('only root may mount')
  const disk = process.env['BENCH_DISK'] ?? (existsSync(MEMORY) ? MEMORY : tmpdir())
  const around = mkdtempSync(join(disk, 'bass-bench-'))
  const [image, directory] = [join(around, 'image'), join(around, 'ext4')]
  const close = () => {
    spawnSync('umount', ['--lazy', directory], { stdio: 'ignore' })
    rmSync(around, { recursive: true, force: true })
  }
  try {
    mkdirSync(directory)
    writeFileSync(image, '')
    truncateSync(image, SIZE)
    execFileSync('mkfs.ext4', ['-q', '-F', '-N', '2000000', image], { stdio: 'pipe' })
    execFileSync('mount', ['-o', 'loop', image, directory], { stdio: 'pipe' })
  } catch (error) {
    close()
    throw error
  }
  return { name: 'ext4', directory, close }
}
