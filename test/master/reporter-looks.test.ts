import { teardown, test } from 'tap'

import { findings } from '../fixtures/axe.ts'
import { closeBrowser, openPage, scene } from '../fixtures/browser.ts'
import { lacks } from '../fixtures/sandbox.ts'

const TOKEN = 'correct horse battery'

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
        const broken = await page.evaluate<string[]>(
          `[...document.querySelectorAll('.takers li > :not(code), [data-part=hosts] th a')]
            .filter(one => one.offsetHeight > 1.5 * parseFloat(getComputedStyle(one).lineHeight))
            .map(one => one.textContent)`,
        )
        t.same(broken, [], `${path}: no short word is broken`)
      }
      const back = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor')
      const [red] = /\d+/.exec(back)!
      t.equal(Number(red) < 128, look === 'dark')
    },
  )
}
