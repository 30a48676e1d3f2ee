// Takes pictures of the pages, each in light, dark and narrow, and those of the tour in the README:
// `npm run pictures [-- DIRECTORY]`.

import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'

import { ansiToHtml, escapeForHtml } from 'anser'
import type { Browser } from 'playwright-core'

import { closeBrowser, openBrowser, openPage, serve } from './fixtures/browser.ts'
import { ROOT, Sandbox } from './fixtures/sandbox.ts'
import { layShowcase } from './fixtures/showcase.ts'

const TOKEN = 'a token of a long summer'

const PAGES: Readonly<Record<string, string>> = {
  front: '/',
  project: '/project/tables',
  job: '/job/15',
  running: '/job/20',
  log: '/job/15/log/20-build',
  find: '/job/15/log/20-build?q=parser',
  trends: '/project/tables/trends',
  hosts: '/hosts',
  host: '/host/mill',
  artifacts: '/job/15/artifacts/',
  login: '/login',
  missing: '/job/4711',
}

const LOOKS = {
  light: { colorScheme: 'light', viewport: { width: 1200, height: 800 } },
  dark: { colorScheme: 'dark', viewport: { width: 1200, height: 800 } },
  narrow: { colorScheme: 'light', viewport: { width: 390, height: 800 } },
} as const

/** The tour: pages, and what is typed into a terminal. */
const TOUR = join(ROOT, 'examples/pictures')
const SHOWN = {
  front: { path: '/', colorScheme: 'light', height: 760 },
  job: { path: '/job/15', colorScheme: 'light', height: 820 },
  log: { path: '/job/15/log/30-test', colorScheme: 'dark', height: 520 },
} as const
const TYPED = { status: 'bass', show: 'bass show 15' } as const
const COLUMNS = 110

/** How the terminal looks: colours that can be read on dark. */
const TERMINAL = `
  body { margin: 0; background: #15181c }
  pre { margin: 0; padding: 18px 22px; display: inline-block; min-width: 900px; background: #15181c; color: #d5d9de;
    font: 14px/1.45 'DejaVu Sans Mono', monospace }
  .ansi-bold { font-weight: bold; color: #fff } .ansi-dim { color: #8b939c }
  .ansi-red-fg { color: #ff8f85 } .ansi-green-fg { color: #7fd18b } .ansi-yellow-fg { color: #e6c062 }
  .ansi-blue-fg { color: #8ab4f0 } .ansi-magenta-fg { color: #d9a0e8 } .ansi-cyan-fg { color: #74cdd8 }`

async function main(): Promise<void> {
  const into = resolve(process.argv[2] ?? `${ROOT}/pictures`)
  mkdirSync(into, { recursive: true })
  const cleanUps: (() => void | Promise<void>)[] = []
  const t = { teardown: (cleanUp: () => void | Promise<void>) => cleanUps.unshift(cleanUp) }
  try {
    const sandbox = new Sandbox(t)
    const { repository } = layShowcase(sandbox)
    const { url } = await serve(sandbox, {
      PROJ: repository,
      REPORTER_TOKEN: TOKEN,
      LOST_AFTER: '600',
    })
    const browser = await openBrowser()
    await takeTour(sandbox, browser, url)
    for (const [look, options] of Object.entries(LOOKS)) {
      const page = await openPage(browser, options)
      await page.goto(`${url}/login`)
      await page.getByLabel('Token').fill(TOKEN)
      await page.getByRole('button', { name: 'Log in' }).click()
      for (const [name, path] of Object.entries(PAGES)) {
        await page.goto(url + path)
        await page.screenshot({ path: `${into}/${name}-${look}.png`, fullPage: true })
      }
      for (const complaint of page.complaints) process.stderr.write(`${look}: ${complaint}\n`)
      await page.context().close()
    }
  } finally {
    await closeBrowser()
    for (const cleanUp of cleanUps) await cleanUp()
  }
}

async function takeTour(sandbox: Sandbox, browser: Browser, url: string): Promise<void> {
  mkdirSync(TOUR, { recursive: true })
  for (const [name, { path, colorScheme, height }] of Object.entries(SHOWN)) {
    const page = await openPage(browser, { colorScheme, viewport: { width: 1100, height } })
    await page.goto(url + path)
    await page.screenshot({ path: `${TOUR}/${name}.png` })
    await page.context().close()
  }
  const page = await openPage(browser, { viewport: { width: 980, height: 300 } })
  for (const [name, typed] of Object.entries(TYPED)) {
    const shown = ansiToHtml(escapeForHtml(`$ ${typed}\n${printed(sandbox, typed)}`), { use_classes: true })
    await page.setContent(`<style>${TERMINAL}</style><pre>${shown}</pre>`)
    await page.locator('pre').screenshot({ path: `${TOUR}/${name}.png` })
  }
  await page.context().close()
}

/** What a command prints on a terminal. */
function printed(sandbox: Sandbox, typed: string): string {
  const command = `stty cols ${COLUMNS}; PATH=${ROOT}/bin:$PATH; ${typed}`
  return sandbox
    .ok('script', ['-qec', command, '/dev/null'], {
      env: {
        TERM: 'xterm-256color',
        LOST_AFTER: '600',
        PROJ: sandbox.path('tables'),
        REVS: sandbox.path('spool/revs/tables'),
      },
    }) // prettier-ignore
    .replaceAll('\r', '')
    .replaceAll(sandbox.dir, '/srv')
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exitCode = 1
})
