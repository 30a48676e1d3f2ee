// All artifacts of a job as one archive, written as its reader takes it: in memory is a chunk, never a file.

import { once } from 'node:events'

import { Header, Pack, ReadEntry } from 'tar'

import type { TaskView } from '../../../lib/view/view.ts'
import { filesBelow } from '../site/job-files.ts'
import type { JobFiles } from '../site/job-files.ts'
import { contentOf } from './ranged.ts'

/** The archive, below a directory of the job's own. Nothing is read before it is asked for, nor after its reader has gone. */
export async function* tarOf(files: JobFiles, view: TaskView): AsyncGenerator<Buffer> {
  const gone = new AbortController()
  const pack = new Pack({ portable: true })
  const writing = addAll(pack, files, view, gone.signal).then(
    () => pack.end(),
    (error: unknown) => pack.emit('error', error),
  )
  try {
    for await (const chunk of pack) yield chunk
  } finally {
    gone.abort()
    pack.destroy()
    await writing
  }
}

async function addAll(pack: Pack, files: JobFiles, view: TaskView, gone: AbortSignal): Promise<void> {
  const mtime = new Date(view.job?.ended ?? 0)
  for await (const { path } of filesBelow(files, view)) {
    gone.throwIfAborted()
    const bytes = await files.open(view, `artifacts/${path}`)
    // It may be pruned, or not be ours to read.
    if (!bytes) continue
    try {
      const { size } = bytes
      const name = `${view.project}-${view.num}/${path}`
      const entry = new ReadEntry(new Header({ path: name, size, mode: 0o644, mtime, type: 'File' }))
      const taken = once(entry, 'end', { signal: gone })
      // Awaited below, unless the file fails first.
      taken.catch(() => undefined)
      pack.add(entry)
      for await (const chunk of contentOf(bytes, 0, size)) {
        if (!entry.write(chunk)) await once(entry, 'drain', { signal: gone })
      }
      entry.end()
      await taken
    } finally {
      await bytes.close()
    }
  }
}
