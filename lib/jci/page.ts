// `index.html` of a run: one page that needs nothing else. Nothing in it can act, whatever the run has printed.

import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { RunName } from './run-ref.ts'
import { documentOf } from '../web/document.ts'
import { html } from '../web/html.ts'
import { renderLine } from '../web/ansi.ts'

/** Most bytes of output on the page; the whole of it is in `run.output.txt`. */
const OUTPUT_BYTES_SHOWN = 1 << 20

/** Writes the page, unless the run has made one. */
export function writePage(output: string, { commit, run }: RunName, status: 'ok' | 'err'): void {
  const path = join(output, 'index.html')
  if (existsSync(path)) return
  const log = join(output, 'run.output.txt')
  const cut = statSync(log).size > OUTPUT_BYTES_SHOWN
  const bytes = readFileSync(log)
  const text = bytes.subarray(Math.max(0, bytes.length - OUTPUT_BYTES_SHOWN)).toString('utf8')
  const page = documentOf(
    `${status} ${commit.slice(0, 12)}`,
    html`<style>
      ${RUN_STYLE}
    </style>`,
    html`<main>
      <h1>${status === 'ok' ? 'Passed' : 'Failed'}</h1>
      <p>commit <code>${commit}</code>, run <code>${run}</code></p>
      ${cut && html`<p>The beginning is left out: <a href="run.output.txt">all of the output</a>.</p>`}
      <pre tabindex="0">${text.split('\n').map(line => html`${renderLine(Buffer.from(line))}${'\n'}`)}</pre>
    </main>`,
  )
  writeFileSync(path, String(page), { flag: 'wx' })
}

const RUN_STYLE = `body { font: 16px/1.5 system-ui, sans-serif; margin: 1rem auto; max-width: 72rem; padding: 0 1rem; }
pre { overflow: auto; border: 1px solid; padding: .5rem; font-size: .85rem; }`
