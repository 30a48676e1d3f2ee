// Links from the pages to the forge that holds a project's code: to the commit, the change, and the Testfile of a check.

import { LRUCache } from 'lru-cache'

import { parseForge } from '../../../lib/forge/parse-forge.ts'
import type { Forge } from '../../../lib/forge/forge.ts'
import { warnOnce } from '../../../lib/system/log.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'

/** How long the setting of a project is taken as read, in milliseconds. */
const SETTING_KEPT_MS = 30_000

/** Answers the forge of a project; undefined where its settings name none, or something that makes no sense, which is said. */
export function forgesOf(settingOf: (project: string) => string | undefined) {
  const known = new LRUCache<string, { readonly forge: Forge | undefined }>({
    max: 1000,
    ttl: SETTING_KEPT_MS,
  })
  return (project: string): Forge | undefined => {
    let found = known.get(project)
    if (!found) {
      found = { forge: read(project, settingOf(project)) }
      known.set(project, found)
    }
    return found.forge
  }
}

function read(project: string, setting: string | undefined): Forge | undefined {
  try {
    return setting === undefined ? undefined : parseForge(setting)
  } catch (error) {
    warnOnce('link to the forge of', project, error)
    return undefined
  }
}

type Code = Pick<TaskView, 'revision'>

/** The version of a task, linked to its commit where the forge shows commits. */
export const commitLink = (
  forge: Forge | undefined,
  { version, revision }: Code & Pick<TaskView, 'version'>,
) => linked(pageOf(forge, revision), html`<code>${version}</code>`)

/** A revision, linked likewise; false if the task has none. */
export const revisionLink = (forge: Forge | undefined, { revision }: Code): Html | false =>
  revision !== null && linked(pageOf(forge, revision), html`<code>${revision}</code>`)

/** The number of the change that a task is of, `#7`, linked to its page; false if it is of none. */
export function changeLink(forge: Forge | undefined, { params }: Pick<TaskView, 'params'>): Html | false {
  const text = params['CHANGE']
  if (text === undefined || !/^\d{1,15}$/.test(text)) return false
  return linked(forge?.changePage(Number(text)) ?? null, html`#${text}`)
}

/** The name of a task's check, linked to the Testfile that its line is in; false if it is of none. */
export function checkLink(
  forge: Forge | undefined,
  { label, revision }: Code & Pick<TaskView, 'label'>,
): Html | false {
  if (label === null) return false
  // `DIR NAME`: a directory may hold spaces, a name may not.
  const directory = label.slice(0, Math.max(0, label.lastIndexOf(' ')))
  const path = directory === '' ? 'Testfile' : `${directory}/Testfile`
  return linked(isCommit(revision) ? (forge?.filePage(revision, path) ?? null) : null, html`${label}`)
}

const isCommit = (revision: string | null): revision is string =>
  revision !== null && /^[0-9a-f]{40,64}$/.test(revision)

const pageOf = (forge: Forge | undefined, revision: string | null): string | null =>
  isCommit(revision) ? (forge?.commitPage(revision) ?? null) : null

const linked = (page: string | null, text: Html): Html =>
  page === null ? text : html`<a class="forge" href="${page}">${text}</a>`
