// The image that a commit asks for.

import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'

import { lasting, quote } from '../../../lib/base/exit.ts'
import { GitError, gitEnvironment, runGit, sentence } from '../../../lib/git/process.ts'
import { remove } from '../../../lib/system/remove.ts'
import type { Assigned } from './place.ts'
import { withOrigin } from './repository.ts'

const INSPECT_TIMEOUT_MS = 60_000

/** Most bytes of the file that names it. */
const NAME_MAX = 4096

/** `[HOST[:PORT]/]NAME[:TAG][@DIGEST]` */
const IMAGE_NAME =
  /^(?:[A-Za-z0-9.-]+(?::\d{1,5})?\/)?[a-z0-9][a-z0-9._/-]*(?::[\w.-]{1,128})?(?:@sha256:[0-9a-f]{64})?$/

/** Names of which podman reads this machine's disk, where another engine sees a name: none of a commit's business. */
const ELSEWHERE =
  /^(?:dir|docker|docker-archive|docker-daemon|oci|oci-archive|containers-storage|ostree|sif|tarball):/

/** True for what names an image of a registry or of the engine. Pure. */
export const isImageName = (text: string): boolean =>
  text.length <= 255 && IMAGE_NAME.test(text) && !ELSEWHERE.test(text)

/**
 * The image that the commit names in `.jci/image`; undefined if there is no such file. `server` is the address of the job's server,
 * `scratch` a directory for what is needed meanwhile. Throws GitError if the commit cannot be had, and a lasting Fatal if that is no name.
 */
export async function imageOf(job: Assigned, server: string, scratch: string): Promise<string | undefined> {
  const { commit_sha } = job
  const directory = mkdtempSync(join(scratch, 'image-'))
  const git = async (...args: string[]): Promise<string> => {
    const signal = AbortSignal.timeout(INSPECT_TIMEOUT_MS)
    const end = await runGit({ place: directory, env: gitEnvironment(), signal }, args)
    if (end.code !== 0) throw new GitError(sentence(end))
    return end.stdout.toString()
  }
  try {
    await git('init', '--quiet')
    const filter = `--filter=blob:limit=${NAME_MAX + 1}`
    await withOrigin(directory, job, server, () =>
      git('fetch', '--quiet', '--depth=1', filter, '--no-tags', 'origin', commit_sha),
    )
    // What was left out is too large, and is not fetched after all.
    await git('config', '--remove-section', 'remote.origin')
    const [, kind, id, size] =
      /^\d+ (\w+) (\w+) +(\S+)\t/.exec(await git('ls-tree', '-l', commit_sha, '--', '.jci/image')) ?? []
    if (kind === undefined) return undefined
    const isSmall = kind === 'blob' && Number(size) <= NAME_MAX
    const image = isSmall ? (await git('cat-file', 'blob', id!)).trim() : ''
    if (isImageName(image)) return image
    throw lasting(`use the image ${quote(image.slice(0, 100))}`, "'.jci/image' holds no name of an image")
  } finally {
    remove(directory)
  }
}
