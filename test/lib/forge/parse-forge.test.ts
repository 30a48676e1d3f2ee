import { test } from 'tap'

import { forgeOf, parseForge } from '../../../lib/forge/parse-forge.ts'

test('FORGE names a repository', async t => {
  for (const [text, place, cloneUrl] of [
    ['github:o/r', ['github', 'https://github.com', 'o/r'], 'https://github.com/o/r.git'],
    ['github:o/r.git', ['github', 'https://github.com', 'o/r'], 'https://github.com/o/r.git'],
    ['github:https://ghe.test/o/r', ['github', 'https://ghe.test', 'o/r'], 'https://ghe.test/o/r.git'],
    ['gitea:https://g.test/o/r', ['gitea', 'https://g.test', 'o/r'], 'https://g.test/o/r.git'],
    [
      'gitea:https://g.test:3000/git/o/r/',
      ['gitea', 'https://g.test:3000/git', 'o/r'],
      'https://g.test:3000/git/o/r.git',
    ],
    ['forgejo:http://c.test/o/r', ['forgejo', 'http://c.test', 'o/r'], 'http://c.test/o/r.git'],
    ['gitlab:a/b/c', ['gitlab', 'https://gitlab.com', 'a/b/c'], 'https://gitlab.com/a/b/c.git'],
    ['gitlab:https://l.test/a/b/c', ['gitlab', 'https://l.test', 'a/b/c'], 'https://l.test/a/b/c.git'],
    ['git:https://x.test/y.git', ['git', 'https://x.test/y.git', ''], 'https://x.test/y.git'],
    ['git:git@x.test:y/z', ['git', 'git@x.test:y/z', ''], 'git@x.test:y/z'],
    ['git:/srv/git/x.git', ['git', '/srv/git/x.git', ''], '/srv/git/x.git'],
  ] as const) {
    const forge = parseForge(text)
    t.same(Object.values(forge.place), place, text)
    t.equal(forge.cloneUrl, cloneUrl)
  }
})

test('what names none is refused, and a password in it is not repeated', async t => {
  for (const [text, why] of [
    ['o/r', 'does not begin with github:'],
    ['https://github.com/o/r', "'git:' any server"],
    ['https://me:hidden@github.com/o/r', "'git:' any server"],
    ['github:o', 'OWNER/REPO'],
    ['github:o/r/x', 'OWNER/REPO'],
    ['github:o/..', 'OWNER/REPO'],
    ['github:o/r?x', 'no address'],
    ['gitea:o/r', 'address of the server'],
    ['gitea:https://me:hidden@g.test/o/r', 'FORGE_TOKEN_FILE'],
    ['git:ext::sh -c x', 'wants a URL'],
    ['git:--upload-pack=x', 'wants a URL'],
    ['git:https://me:hidden@g.test/r', 'FORGE_TOKEN_FILE'],
    ['git:', 'wants a URL'],
  ] as const) {
    t.throws(() => parseForge(text), { message: new RegExp(why), exitCode: 100 }, text)
    try {
      parseForge(text)
    } catch (error) {
      t.notMatch((error as Error).message, /hidden/)
    }
  }
})

test('a project need not be on a forge', async t => {
  t.equal(forgeOf({}), undefined)
  t.equal(forgeOf({ FORGE: 'github:o/r' })?.page, 'https://github.com/o/r')
})

test('pages and refs of each forge', async t => {
  const pages = ['github:o/r', 'gitea:https://g.test/o/r', 'gitlab:o/r', 'git:/x'].map(parseForge)
  t.same(
    pages.map(forge => forge.changePage(7)),
    [
      'https://github.com/o/r/pull/7',
      'https://g.test/o/r/pulls/7',
      'https://gitlab.com/o/r/-/merge_requests/7',
      null,
    ],
  )
  t.same(
    pages.map(forge => forge.changeRef(7)),
    ['refs/pull/7/head', 'refs/pull/7/head', 'refs/merge-requests/7/head', null],
  )
  t.equal(
    pages[0]!.filePage('abc', 'a dir/ü#?.go'),
    'https://github.com/o/r/blob/abc/a%20dir/%C3%BC%23%3F.go',
  )
  t.equal(pages[2]!.commitPage('abc'), 'https://gitlab.com/o/r/-/commit/abc')
})
