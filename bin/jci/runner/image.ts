// The image that a commit asks for.

import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'

import { lasting, quote } from '../../../lib/base/exit.ts'
import { credentialEnvironment } from '../../../lib/git/credential.ts'
import { GitError, gitEnvironment, runGit, sentence } from '../../../lib/git/process.ts'
import { split } from './clone-url.ts'
import type { Assigned } from './place.ts'

const INSPECT_TIMEOUT_MS = 60_000

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
 * `scratch` a directory for what is needed meanwhile. Throws if it cannot be had, or is no name.
 */
export async function imageOf(
  { clone_url, commit_sha }: Assigned,
  server: string,
  scratch: string,
): Promise<string | undefined> {
  const where = split(clone_url)
  const directory = mkdtempSync(join(scratch, 'image-'))
  let { origin } = where
  const git = async (...args: string[]): Promise<string> => {
    const env = { ...gitEnvironment(), ...credentialEnvironment(origin, where.user, where.password) }
    const end = await runGit({ place: directory, env, signal: AbortSignal.timeout(INSPECT_TIMEOUT_MS) }, args)
    if (end.code !== 0) throw new GitError(sentence(end))
    return end.stdout.toString()
  }
  try {
    await git('init', '--quiet', '--bare')
    const fetch = ['--quiet', '--depth=1', '--filter=blob:limit=4k', '--no-tags', 'origin', commit_sha]
    await git('config', 'remote.origin.url', where.url)
    await git('fetch', ...fetch).catch(async (error: unknown) => {
      // The address may be one for containers: podman makes their bridge with the first of them. The server has a door here too.
      const here = new URL(new URL(where.url).pathname, server)
      origin = here.origin
      await git('config', 'remote.origin.url', here.href)
      await git('fetch', ...fetch).catch(() => Promise.reject(error as Error))
    })
    if ((await git('ls-tree', commit_sha, '--', '.jci/image')) === '') return undefined
    const image = (await git('cat-file', 'blob', `${commit_sha}:.jci/image`)).trim()
    if (isImageName(image)) return image
    throw lasting(`use the image ${quote(image.slice(0, 100))}`, "'.jci/image' holds no name of an image")
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
