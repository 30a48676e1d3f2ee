// The verdicts of a project as an Atom feed.

import { formatSeconds, harmless } from '../../../lib/base/text.ts'
import type { TaskView } from '../../../lib/view/view.ts'
import { html } from '../../../lib/web/html.ts'
import { targetOf } from '../../../lib/spool/task-name.ts'
import { jobPath, projectPath, shortRef } from './page.ts'
import type { Site } from '../site/site.ts'
import { stateOf, wordFor } from './status.ts'

/** Entries of a feed. */
const ENTRIES = 30

/** The feed, as text. `origin` begins its links. */
export async function atomFeed(site: Site, project: string, origin: string): Promise<string> {
  const views = newest(site, project)
  const commits = await site.commits(views)
  const { Feed } = await import('feed')
  const feed = new Feed({
    id: origin + projectPath(project),
    title: `${project}: jobs`,
    link: origin + projectPath(project),
    feedLinks: { atom: `${origin}${projectPath(project)}/feed.atom` },
    updated: new Date(Math.max(0, ...views.map(view => view.job?.ended ?? 0))),
    generator: 'BASS',
    // An entry without one is by the author of the feed.
    author: { name: 'BASS' },
    copyright: '',
  })
  for (const view of views) {
    const commit = view.revision === null ? undefined : commits.get(view.revision)
    const link = origin + jobPath(view)
    const title = `${wordFor(stateOf(view))}: ${view.version} ${targetOf(view)}${view.ref === null ? '' : `, ${shortRef(view.ref)}`}`
    feed.addItem({
      id: link,
      link,
      // A title is HTML as well.
      title: String(html`${harmless(title)}`),
      date: new Date(view.job?.ended ?? 0),
      content: String(summary(view, commit?.subject)),
      ...(commit ? { author: [{ name: harmless(commit.author) }] } : {}),
    })
  }
  return feed.atom1()
}

function newest(site: Site, project: string): TaskView[] {
  const views: TaskView[] = []
  for (const row of site.index.rows({ project })) {
    const view = site.view(site.index.entry(row))
    if (view?.job?.verdict) views.push(view)
    if (views.length === ENTRIES) break
  }
  return views.sort((a, b) => (b.job?.ended ?? 0) - (a.job?.ended ?? 0))
}

function summary(view: TaskView, subject: string | undefined) {
  const steps = view.job?.steps ?? []
  return html`${subject !== undefined && html`<p>${harmless(subject)}</p>`}
    <ul>
      ${steps.map(
        ({ name, state, seconds }) =>
          html`<li>
            ${harmless(name)}: ${wordFor(state)}${seconds !== null && `, ${formatSeconds(seconds)}`}
          </li>`,
      )}
    </ul>`
}
