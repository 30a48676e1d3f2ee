import { join } from 'node:path'
import { teardown, test } from 'tap'
import type { Locator, Page } from 'playwright-core'

import { closeBrowser, openPage, scene } from '../fixtures/browser.ts'
import type { Scene } from '../fixtures/browser.ts'
import { lacks } from '../fixtures/sandbox.ts'
import { beginStep, endStep, printLine } from '../fixtures/showcase.ts'

const TOKEN = 'correct horse battery'

/** Lines of a long log: more than a page keeps. */
const LINES = 7000

/** Goes to a height of the page again and again, as somebody does who wants to see the end, until that is there. */
async function scrollUntil(page: Page, height: number, sight: Locator): Promise<void> {
  for (let tries = 0; (await sight.count()) === 0; tries++) {
    if (tries > 500) throw new Error('it does not come into sight')
    await page.evaluate(`scrollTo(0, ${height})`)
    await page.waitForTimeout(30)
  }
}

const skip = lacks('chromium')
teardown(closeBrowser)

/** One spool for those who only read. */
let still: Promise<Scene> | undefined
const stillScene = () => (still ??= scene({ teardown: cleanUp => teardown(cleanUp) }))

test('a person reads from the front page to the line that failed', { skip }, async t => {
  const { browser, url } = await stillScene()
  const page = await openPage(browser)
  await page.goto(url)
  await page.getByRole('link', { name: 'docs: explain <b>notes</b> & numbers' }).click()
  t.match(await page.getByRole('heading', { level: 1 }).textContent(), /docs: explain/)
  await page.goto(`${url}/job/15`)
  t.match(await page.locator('.tail').textContent(), /expected 3 columns, found 2/)
  await page.getByRole('link', { name: 'Open the log' }).click()
  const line = page.locator('.log li', { hasText: '1 failed' })
  await line.locator('a').click()
  t.match(page.url(), /\?line=e\d+#e\d+$/)
  await page.goto(page.url())
  t.match(await page.locator('.log li:target').textContent(), /1 failed, 3 passed/)
  await page.getByLabel('Find in this log').fill('COLUMNS')
  await page.getByRole('button', { name: 'Find' }).click()
  t.same(await page.locator('.found mark').allTextContents(), ['columns'])
  t.same(page.complaints, [])
})

test('all of it can be read without scripts', { skip }, async t => {
  const { browser, url } = await stillScene()
  const page = await openPage(browser, { javaScriptEnabled: false })
  await page.goto(url)
  await page.getByLabel('State').selectOption('timeout')
  await page.getByRole('button', { name: 'Filter' }).click()
  t.equal(await page.locator('.revisions tbody tr').count(), 1)
  await page.locator('.step', { hasText: '10m 00s' }).click()
  t.match(await page.locator('.log').textContent(), /Running 4 tests/)
})

test('a live log shows each new line, and at last that it is over', { skip }, async t => {
  const { browser, url, running } = await scene(t)
  const page = await openPage(browser)
  await page.goto(`${url}/job/20/log/30-test`)
  printLine(running, '\x1b[32mgreen\x1b[0m <script>document.title = "owned"</script>')
  const line = page.locator('.log li', { hasText: 'green' })
  await line.waitFor()
  t.equal(await line.locator('.fg-green').textContent(), 'green')
  t.match(await page.title(), /30-test/)
  printLine(running, 'on standard error', 'stderr')
  await page.locator('.log li.err', { hasText: 'on standard error' }).waitFor()
  endStep(running, '1')
  await page.locator('h1', { hasText: 'failed' }).waitFor()
  t.equal(await page.locator('.log li', { hasText: 'green' }).count(), 1, 'no line is there twice')
  t.same(page.complaints, [])
})

test(
  'who reads along goes on with the step that runs; who reads elsewhere is shown the way',
  { skip },
  async t => {
    const { browser, url, running } = await scene(t)
    const [along, above] = [await openPage(browser), await openPage(browser)]
    for (let i = 0; i < 200; i++) printLine(running, `line ${i}`)
    for (const page of [along, above]) {
      await page.goto(`${url}/job/20/log/30-test?time=local`)
      await page.locator('.log li', { hasText: 'line 199' }).waitFor()
    }
    await along.evaluate('scrollTo(0, document.documentElement.scrollHeight)')
    await above.evaluate('scrollTo(0, 300)')
    endStep(running, '0')
    await along
      .locator('h1', { hasText: 'success' })
      .or(along.locator('h1', { hasText: 'passed' }))
      .waitFor()
    const short = beginStep(running, '35-short')
    endStep(short, '0')
    const next = beginStep(running, '40-pack')
    printLine(next, 'packed')
    await along.waitForURL(/40-pack\?time=local$/)
    await along.locator('.log li', { hasText: 'packed' }).waitFor()
    const link = above.getByRole('link', { name: /^Next step: .*35-short/ })
    await link.waitFor()
    t.match(above.url(), /30-test/)
    t.equal(await above.evaluate('scrollY'), 300)
    await along.goBack()
    t.match(along.url(), /30-test/)
    t.same([...along.complaints, ...above.complaints], [])
  },
)

test('eight tabs of what runs load, because a page that nobody sees asks for nothing', { skip }, async t => {
  const { browser, url, running } = await scene(t)
  const context = await browser.newContext()
  t.teardown(() => context.close())
  const hide = `
    Object.defineProperty(document, 'hidden', { value: true, configurable: true })
    document.dispatchEvent(new Event('visibilitychange'))`
  const show = hide.replace('value: true', 'value: false')
  const paths = ['/job/20/log/30-test', '/job/20', '/']
  const pages = []
  // A browser has six connections for a site.
  for (let i = 0; i < 8; i++) {
    const page = await context.newPage()
    await page.goto(url + paths[i % paths.length]!, { waitUntil: 'domcontentloaded' })
    await page.waitForTimeout(200)
    await page.evaluate(hide)
    pages.push(page)
  }
  printLine(running, 'while nobody looked')
  await pages[0]!.evaluate(show)
  await pages[0]!.locator('.log li', { hasText: 'while nobody looked' }).waitFor()
  t.equal(pages.length, 8)
})

test('the front page and the page of a job change while one looks', { skip }, async t => {
  const { browser, url, running, maker } = await scene(t)
  const page = await openPage(browser)
  await page.goto(url)
  maker.waitingTask('30:tables:v99:linux-x86_64')
  await page.locator('.waiting', { hasText: '#30' }).waitFor()
  t.match(await page.title(), /^1 running, 4 queued/)
  await page.goto(`${url}/job/20`)
  const icon = page.locator('link[rel=icon]')
  t.match(await icon.getAttribute('href'), /icon-running\.svg/)
  await page.evaluate("for (const part of document.querySelectorAll('[data-part]')) part.title = 'first'")
  await page.locator('[data-part=steps]:not([title])').waitFor()
  t.equal(await page.locator('[data-part=head][title]').count(), 1, 'what has not changed is not replaced')
  printLine(running, 'still here')
  await page.locator('.tail li', { hasText: 'still here' }).waitFor()
  endStep(running, '0')
  await page.locator('.timeline tr', { hasText: '30-test' }).locator('.s-success').first().waitFor()
  maker.endJob(join(running, '../..'), 'failure')
  await page.locator('h1', { hasText: 'failed' }).waitFor()
  t.match(await icon.getAttribute('href'), /icon-failure\.svg/)
  t.match(await page.title(), /^#20 failed/)
  t.same(page.complaints, [])
})

test('a long log scrolls from end to end and the page stays small', { skip }, async t => {
  const { browser, url, running } = await scene(t)
  for (let i = 0; i < LINES; i++) printLine(running, `line ${i}`)
  endStep(running, '0')
  const page = await openPage(browser)
  await page.goto(`${url}/job/20/log/30-test`)
  t.equal(await page.locator('.log li').count(), 1000)
  const seen = page.locator('.log li', { hasText: /^\S*line 6999$/ })
  await scrollUntil(page, 1e9, seen)
  const shown = await page.locator('.log li > span').allTextContents()
  t.ok(shown.length <= 5000, 'what is far away has gone')
  t.equal(await page.evaluate("document.querySelector('.log').childNodes.length"), shown.length, 'all of it')
  t.same(
    shown,
    Array.from({ length: shown.length }, (_, i) => `line ${LINES - shown.length + i}`),
  )
  const first = page.locator('.log li', { hasText: /^\S*line 0$/ })
  await scrollUntil(page, 0, first)
  t.same(page.complaints, [])
})

test(
  'cancel and retry are buttons for who is logged in, and another site cannot press them',
  { skip },
  async t => {
    const { browser, url, sandbox } = await scene(t, { REPORTER_TOKEN: TOKEN })
    const page = await openPage(browser)
    await page.goto(`${url}/job/20`)
    t.equal(await page.getByRole('button', { name: 'Cancel' }).count(), 0)
    await page.getByRole('link', { name: 'Log in to cancel' }).click()
    await page.getByLabel('Token').fill('wrong')
    await page.getByRole('button', { name: 'Log in' }).click()
    t.match(await page.getByRole('alert').textContent(), /not the token/)
    await page.getByLabel('Token').fill(TOKEN)
    await page.getByRole('button', { name: 'Log in' }).click()
    t.equal(page.url(), `${url}/job/20`)

    const evil = await page.context().newPage()
    await evil.goto('data:text/html,<form method=post><input name=word value=x></form>')
    await evil.locator('form').evaluate((form: { action: string; submit(): void }, action) => {
      form.action = action
      form.submit()
    }, `${url}/job/20/cancel`)
    await evil.getByRole('heading', { name: 'Not allowed' }).waitFor()
    const task = sandbox.ls('spool/tasks/cur').find(name => name.startsWith('20:'))!
    t.notOk(sandbox.ls('spool/tasks/cur', task).includes('cancel'))

    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('It is being cancelled').waitFor()
    t.ok(sandbox.ls('spool/tasks/cur', task).includes('cancel'))

    await page.goto(`${url}/job/15`)
    await page.getByRole('button', { name: 'Retry' }).click()
    await page.waitForURL(`${url}/job/24`)
    t.match(await page.locator('h1').textContent(), /queued/)
    await page.getByRole('button', { name: 'Log out' }).click()
    await page.getByRole('link', { name: 'Log in' }).waitFor()
  },
)

test('the keyboard alone goes everywhere', { skip }, async t => {
  const { browser, url } = await stillScene()
  const page = await openPage(browser)
  await page.goto(url)
  await page.keyboard.press('Tab')
  t.equal(await page.locator(':focus').textContent(), 'Skip to content')
  await page.keyboard.press('Enter')
  await page.keyboard.press('j')
  t.match(await page.locator(':focus').textContent(), /#20/)
  await page.keyboard.press('j')
  t.match(await page.locator(':focus').textContent(), /#21/)
  await page.keyboard.press('k')
  await page.keyboard.press('Enter')
  await page.waitForURL(`${url}/job/20`)
  await page.goBack()
  await page.keyboard.press('/')
  await page.keyboard.type('v1.4-4')
  await page.keyboard.press('Enter')
  await page.waitForURL(/q=v1\.4-4/)
  t.equal(await page.locator('.revisions tbody tr').count(), 1)
})

test('HTML among the artifacts runs nothing', { skip }, async t => {
  const { browser, url } = await stillScene()
  const page = await openPage(browser)
  await page.goto(`${url}/job/15/artifacts/report/index.html`)
  t.equal(await page.locator('h1').textContent(), 'Report')
  t.not(await page.title(), 'owned')
})
