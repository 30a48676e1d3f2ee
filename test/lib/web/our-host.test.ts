import { test } from 'tap'

import { isOurHost } from '../../../lib/web/our-host.ts'

test('a name that a stranger may own is not ours', async t => {
  const names = ['CI.Example.org', 'mill.lan.', undefined]
  const ours = [undefined, '127.0.0.1:8010', '[::1]:8010', '[::1]', 'localhost', 'localhost:8010', 'x.localhost', 'mill', 'mill.lan:80', 'CI.example.org', 'ci.example.org.', 'Mill.LAN'] // prettier-ignore
  for (const host of ours) t.ok(isOurHost(host, names), host ?? 'none')
  const others = ['evil.example.com', 'evil.example.com:8010', 'ci.example.org.evil.com', 'xci.example.org', 'localhost.evil.com', '127.0.0.1.evil.com', 'a b', '@evil.com'] // prettier-ignore
  for (const host of others) t.notOk(isOurHost(host, names), host)
})
