// Artifacts of a job, to view and download. Any of them may be hostile: links that lead outside are not
// followed, nothing runs, and what a browser would not show by itself is downloaded.

import { readdir, realpath } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join, sep } from 'node:path'

import { isErrno } from '../../lib/base/errno.ts'
import { formatBytes } from '../../lib/base/text.ts'
import { openPlain } from '../../lib/system/plain.ts'
import type { TaskView } from '../../lib/view/view.ts'
import { html } from '../../lib/web/html.ts'
import type { Html } from '../../lib/web/html.ts'
import { typeOf } from '../../lib/web/foreign.ts'
import { jobPath, page, projectPath } from './pages/page.ts'
import type { Visit } from './pages/page.ts'

export interface Artifact {
  readonly name: string
  /** In bytes; null for a directory. */
  readonly size: number | null
}

/** Entries of a directory of artifacts, directories first; undefined if there is none of that path. */
export async function listArtifacts(job: string, path = ''): Promise<Artifact[] | undefined> {
  const directory = await inside(job, path)
  if (directory === undefined) return undefined
  try {
    const found = await readdir(directory, { withFileTypes: true })
    const entries: Artifact[] = []
    for (const entry of found) {
      if (entry.isDirectory()) entries.push({ name: entry.name, size: null })
      else if (entry.isFile())
        entries.push({ name: entry.name, size: await sizeOf(join(directory, entry.name)) })
    }
    const rank = ({ size }: Artifact) => (size === null ? 0 : 1)
    return entries.sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ESTALE', 'EACCES')) return undefined
    throw error
  }
}

/** Opens an artifact, to be closed; undefined if that path is no file among the artifacts. */
export async function openArtifact(
  job: string,
  path: string,
): Promise<{ file: FileHandle; size: number; type: string | undefined } | undefined> {
  const real = await inside(job, path)
  const file = real === undefined ? undefined : await openReadable(real)
  if (!file) return undefined
  const { size } = await file.stat()
  return { file, size, type: typeOf(path) }
}

/**
 * The first and the last byte of `size` that a Range header asks for, so that a download goes on where it broke off; the
 * first behind the last if there is nothing there; undefined if it asks for anything else than one range. Pure.
 */
export function byteRange(
  header: string | undefined,
  size: number,
): { start: number; end: number } | undefined {
  const [, from, to] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? []
  if (from === undefined || to === undefined || from + to === '' || size === 0) return undefined
  if (from === '') return { start: Math.max(0, size - Number(to)), end: size - 1 }
  if (to !== '' && Number(to) < Number(from)) return undefined
  return { start: Number(from), end: to === '' ? size - 1 : Math.min(Number(to), size - 1) }
}

/** A path below the artifacts as it really is; undefined if it is not there or leads elsewhere. */
async function inside(job: string, path: string): Promise<string | undefined> {
  if (path.includes('\0')) return undefined
  try {
    const root = await realpath(join(job, 'artifacts'))
    if (!root.startsWith((await realpath(job)) + sep)) return undefined
    const real = await realpath(join(root, path))
    return real === root || real.startsWith(root + sep) ? real : undefined
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'ENAMETOOLONG', 'ESTALE')) return undefined
    throw error
  }
}

/** As `openPlain`; what the reporter may not read is not there. */
async function openReadable(path: string): Promise<FileHandle | undefined> {
  try {
    return await openPlain(path)
  } catch (error) {
    if (isErrno(error, 'EACCES')) return undefined
    throw error
  }
}

async function sizeOf(path: string): Promise<number> {
  const file = await openReadable(path)
  try {
    return file ? (await file.stat()).size : 0
  } finally {
    await file?.close()
  }
}

export function artifactsPage(
  visit: Visit,
  view: TaskView,
  path: string,
  entries: readonly Artifact[],
): Html {
  const parts = path.split('/').filter(part => part !== '')
  const base = `${jobPath(view)}/artifacts/`
  const linkTo = (names: readonly string[]) =>
    base + names.map(name => `${encodeURIComponent(name)}/`).join('')
  const here = linkTo(parts)
  return page(
    visit,
    {
      title: `Artifacts of #${view.num}`,
      trail: [
        { text: view.project, href: projectPath(view.project) },
        { text: `#${view.num}`, href: jobPath(view) },
        { text: 'Artifacts', href: base },
        ...parts.map((text, i) => ({ text, href: linkTo(parts.slice(0, i + 1)) })),
      ],
    },
    html`<h1>Artifacts${parts.length > 0 && `: ${parts.join('/')}`}</h1>
      ${entries.length === 0 && html`<p class="empty">There is nothing here.</p>`}
      <ul class="files">
        ${entries.map(
          ({ name, size }) =>
            html`<li data-row="">
              <a href="${here}${encodeURIComponent(name)}${size === null ? '/' : ''}"
                >${name}${size === null ? '/' : ''}</a
              >
              ${size !== null && html`<span class="quiet">${formatBytes(size)}</span>`}
            </li>`,
        )}
      </ul>`,
  )
}
