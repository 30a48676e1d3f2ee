// Takes pictures of the pages, each in light, dark and narrow: `npm run pictures [-- DIRECTORY]`.

import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'

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

async function main(): Promise<void> {
  const into = resolve(process.argv[2] ?? `${ROOT}/pictures`)
  mkdirSync(into, { recursive: true })
  const cleanUps: (() => void | Promise<void>)[] = []
  const t = { teardown: (cleanUp: () => void | Promise<void>) => cleanUps.unshift(cleanUp) }
  try {
    const sandbox = new Sandbox(t)
    const { repository } = layShowcase(sandbox)
    const { url } = await serve(sandbox, { PROJ: repository, REPORTER_TOKEN: TOKEN })
    const browser = await openBrowser()
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

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exitCode = 1
})
