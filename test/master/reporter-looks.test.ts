import { source as axe } from 'axe-core'
import { teardown, test } from 'tap'
import type { Page } from 'playwright-core'

import { closeBrowser, openPage, scene } from '../fixtures/browser.ts'
import { lacks } from '../fixtures/sandbox.ts'

const TOKEN = 'correct horse battery'

/** Findings of axe that are serious or worse, each as a line. The policy of the pages lets it in by the debugger only. */
async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; impact: string; nodes: { html: string }[] }[] }> }
    }
    const { violations } = await axe.run()
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(node => node.html.slice(0, 160)).join(' | ')}`)
  })
}

const skip = lacks('chromium')
teardown(closeBrowser)

for (const [look, options] of Object.entries({
  light: { colorScheme: 'light' },
  dark: { colorScheme: 'dark' },
  narrow: { viewport: { width: 360, height: 700 } },
} as const)) {
  test(
    `${look}: nothing serious stands in anybody's way, and nothing is wider than the screen`,
    { skip },
    async t => {
      const { browser, url } = await scene(t, { REPORTER_TOKEN: TOKEN })
      const page = await openPage(browser, options)
      const paths = ['/', '/project/tables', '/job/15', '/job/20', '/job/15/log/20-build', '/project/tables/trends', '/hosts', '/host/mill', '/job/15/artifacts/', '/login', '/job/15/log/20-build?q=parser'] // prettier-ignore
      for (const path of paths) {
        await page.goto(url + path)
        t.same(await findings(page), [], path)
        const over = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
        t.ok(over <= 0, `${path} is ${over} px too wide`)
      }
      const back = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor')
      const [red] = /\d+/.exec(back)!
      t.equal(Number(red) < 128, look === 'dark')
    },
  )
}
