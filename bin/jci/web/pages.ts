// The pages: commits, runs and files side by side, without a script; below each other where the screen is narrow.

import { documentOf } from '../../../lib/web/document.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import { renderLine } from '../../../lib/web/ansi.ts'
import type { CommitPage, Detail, RunView, StatusWord } from './data.ts'

/** How often a page of what runs loads itself again, in seconds. */
const RELOAD = 10

export interface View {
  readonly branches: readonly string[]
  readonly commits: CommitPage | undefined
  readonly detail?: Detail | undefined
  readonly file?: FileView | undefined
}

/** A file with the end of its text, or with the reason why that is not shown. */
export type FileView =
  | { readonly path: string; readonly text: string; readonly cut: boolean }
  | { readonly path: string; readonly text: undefined; readonly why: string }

const STATUS_NAMES: Readonly<Record<StatusWord, string>> = {
  success: 'passed',
  failed: 'failed',
  running: 'running',
  '': 'no result',
}
const SIGNS: Readonly<Record<StatusWord, string>> = { success: '✓', failed: '✗', running: '▶', '': '·' }

const badge = (status: StatusWord): Html =>
  html`<span class="ci ci-${status || 'none'}">${SIGNS[status]} ${STATUS_NAMES[status]}</span>`

const encode = (path: string) => path.split('/').map(encodeURIComponent).join('/')
const runPath = (detail: Pick<Detail, 'hash'>, run: string) => `/jci/${detail.hash}/${run}`
const filePath = (detail: Pick<Detail, 'hash' | 'runId'>, path: string): string =>
  `${runPath(detail, detail.runId)}/${encode(path)}`

/** The whole page. */
export function panels(view: View): Html {
  const { detail, file } = view
  const title = file?.path ?? (detail ? detail.hash.slice(0, 12) : (view.commits?.branch ?? 'runs'))
  const live = detail?.status === 'running'
  return frame(
    title,
    live,
    html`<h1>Runs</h1>
      <div class="panels">
        ${commitPanel(view)} ${detail && runPanel(detail, file)} ${detail && file && filePanel(detail, file)}
      </div>`,
  )
}

export function frame(title: string, live: boolean, body: Html): Html {
  return documentOf(
    `${title} · git jci`,
    html`<link rel="icon" href="data:," />
      <link rel="stylesheet" href="/static/page.css" />
      ${live && html`<meta http-equiv="refresh" content="${RELOAD}" />`}`,
    html`<header class="top"><a class="home" href="/">git jci</a></header>
      <main id="main">${body}</main>`,
  )
}

function commitPanel({ branches, commits, detail }: View): Html {
  const query = commits ? `?branch=${encodeURIComponent(commits.branch)}` : ''
  const page = (n: number, text: string) => html`<a href="/${query}&amp;page=${n}">${text}</a>`
  return html`<section aria-labelledby="commits">
    <h2 id="commits">Commits</h2>
    <form action="/">
      <label
        >Branch
        <select name="branch">
          ${branches.map(name => html`<option ${name === commits?.branch && 'selected'}>${name}</option>`)}
        </select></label
      >
      <button>Show</button>
    </form>
    ${!commits && html`<p>There is no branch yet.</p>`}
    <ol class="commits" tabindex="0" aria-label="Commits, newest first">
      ${commits?.commits.map(
        ({ hash, shortHash, message, hasCI, ciStatus, runs }) =>
          html`<li>
            ${
              hasCI
                ? html`<a href="/jci/${hash}" ${hash === detail?.hash && html`aria-current="true"`}
                      ><code>${shortHash}</code> ${message}</a
                    >
                    ${badge(ciStatus)}
                    ${runs.length > 1 && html`<span class="quiet">${runs.length} runs</span>`}`
                : html`<code>${shortHash}</code> ${message}`
            }
          </li>`,
      )}
    </ol>
    <p>
      ${commits && commits.page > 0 && page(commits.page - 1, 'Newer')}
      ${commits?.hasMore && page(commits.page + 1, 'Older')}
    </p>
  </section>`
}

function runPanel(detail: Detail, file: FileView | undefined): Html {
  const { hash, message, author, date, status, runs, files, unread, runId } = detail
  const run = (one: RunView) =>
    html`<li>
      <a href="${runPath(detail, one.runId)}" ${one.runId === runId && html`aria-current="true"`}
        >${startOf(one.runId)}</a
      >
      ${badge(one.status)}
    </li>`
  return html`<section aria-labelledby="run">
    <h2 id="run">Run ${startOf(runId)}</h2>
    <p>${badge(status)} ${message}</p>
    <p class="quiet"><code>${hash}</code> ${author} ${date !== '' && moment(new Date(date))}</p>
    ${
      runs.length > 1 &&
      html`<h3>Runs of this commit</h3>
        <ol class="runs">
          ${runs.map(run)}
        </ol>`
    }
    <h3>Files</h3>
    ${unread !== undefined && html`<p>Git cannot read this run: ${unread}</p>`}
    <ul class="files">
      ${files.map(
        path =>
          html`<li>
            <a href="${filePath(detail, path)}" ${path === file?.path && html`aria-current="true"`}
              >${path}</a
            >
          </li>`,
      )}
    </ul>
  </section>`
}

function filePanel(detail: Detail, file: FileView): Html {
  const { path } = file
  const raw = `${filePath(detail, path)}/raw`
  return html`<section aria-labelledby="file">
    <h2 id="file" class="name">${path}</h2>
    <p>
      <a href="${raw}">The file itself</a
      >${file.text !== undefined && file.cut && ', of which this is the end'}
    </p>
    ${
      file.text === undefined
        ? html`<p>${file.why}</p>`
        : html`<pre class="text" tabindex="0" aria-label="${path}">
${file.text
              .replace(/\n$/, '')
              .split('\n')
              .map(line => html`${renderLine(Buffer.from(line))}${'\n'}`)}</pre>`
    }
  </section>`
}

/** When a run began, from its id. */
const startOf = (run: string): string => moment(new Date(Number(run.split('-', 1)[0]) * 1000))

const moment = (date: Date): string => `${date.toISOString().replace('T', ' ').slice(0, 19)} UTC`

export const JCI_STYLE = `
.panels { display: flex; flex-wrap: wrap; gap: 0 2rem; }
.panels > section { flex: 1 1 20rem; min-width: 0; margin-top: 1rem; }
.panels > section:nth-child(3) { flex: 2 1 32rem; }
.panels ol, .panels ul { list-style: none; margin: .5rem 0; padding: 0; }
.panels li { padding: .2rem 0; border-bottom: 1px solid var(--line); }
.panels h3 { margin: 1rem 0 0; font-size: .9rem; }
.commits { max-height: 75vh; overflow: auto; }
[aria-current] { font-weight: 700; }
.quiet { color: var(--quiet); }
.ci { padding: 0 .4rem; border-radius: .3rem; white-space: nowrap; color: var(--none); background: var(--none-back); }
.ci-success { color: var(--good); background: var(--good-back); }
.ci-failed { color: var(--bad); background: var(--bad-back); }
.ci-running { color: var(--busy); background: var(--busy-back); }
pre.text { overflow: auto; max-height: 80vh; padding: .5rem; border: 1px solid var(--line); background: var(--sunken); font: 13px/1.5 var(--mono); }
`
