import { test } from 'tap'

import { plainLine, renderLine } from '../../../lib/web/ansi.ts'
import { html } from '../../../lib/web/html.ts'

const rendered = (text: string) => String(html`${renderLine(Buffer.from(text))}`)

test('markup in a line is shown, not obeyed', async t => {
  t.equal(rendered('<b onclick="x">&'), '&lt;b onclick=&quot;x&quot;&gt;&amp;')
  t.equal(rendered('\x1b[31m<script>\x1b[0m'), '<span class="fg-red">&lt;script&gt;</span>')
})

test('colours become classes, never styles', async t => {
  t.equal(rendered('\x1b[1;31mred\x1b[0m on'), '<span class="fg-red ansi-bold">red</span> on')
  t.equal(rendered('\x1b[92mx'), '<span class="fg-bright-green">x</span>')
  t.equal(rendered('\x1b[41mx'), '<span class="bg-red">x</span>')
})

test('of 256 and of all other colours the nearest of the sixteen is taken', async t => {
  t.equal(rendered('\x1b[38;5;196mx'), '<span class="fg-bright-red">x</span>')
  t.equal(rendered('\x1b[38;5;244mx'), '<span class="fg-bright-black">x</span>')
  t.equal(rendered('\x1b[48;2;3;200;9mx'), '<span class="bg-green">x</span>')
})

test('what would drive a terminal is dropped, or shown as a picture of itself', async t => {
  t.equal(rendered('a\x1b[2Kb\x1b[1Ac'), 'abc')
  t.equal(rendered('\x1b]0;title\x07x'), 'x')
  t.equal(rendered('\x1b]8;;http://evil/\x1b\\click\x1b]8;;\x1b\\'), 'click')
  t.equal(rendered('a\x00b\x07c'), 'a\u2400b\u2407c')
  t.equal(rendered('tab\tstays'), 'tab\tstays')
  t.equal(rendered('\u202egnp.exe'), '\ufffdgnp.exe')
})

test('a line that returns to its beginning shows what a terminal would show at last', async t => {
  t.equal(rendered(' 10%\r 50%\r100%\r'), '100%')
})

test('bytes that are no UTF-8 are shown as such', async t => {
  t.equal(String(html`${renderLine(Buffer.from([0x61, 0xff, 0x62]))}`), 'a\ufffdb')
})

test('plain text has no colours', async t => {
  t.equal(plainLine(Buffer.from('\x1b[1;31mred\x1b[0m \x1b[Kon')), 'red on')
})
