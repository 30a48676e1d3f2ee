// The code of the forge's demo: a small repository with Testfiles in three directories, and a change that touches two.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

import { makeDirectories } from '../../lib/system/directories.ts'
import { git } from '../../lib/git/process.ts'
import { AS } from './push-code.ts'

const TEST = (expected: string) => `#!/bin/bash -e
# A second, so that one sees it run.
sleep 1
said=$(./greet.sh Ada)
echo "$said"
[ "$said" = '${expected}' ]
`

const FIRST = {
  'api/Testfile': '# One check for each line.\nunit: ./test.sh\nsyntax: bash -n *.sh\n',
  'api/greet.sh': '#!/bin/bash\necho "hello"\n',
  'api/test.sh': TEST('hello'),
  'web/Testfile': 'title: grep "<title>" *.html\nlinks: sleep 1; ! grep \'href=""\' *.html\n',
  'web/index.html': '<!doctype html>\n<title>Hello</title>\n<a href="/greet">hello</a>\n',
  'docs/Testfile': "spelling: ! grep -n 'teh' *.md\n",
  'docs/index.md': 'How the site greets.\n',
}

const CHANGE = {
  'api/greet.sh': '#!/bin/bash\necho "hello, $1"\n',
  'api/test.sh': TEST('hello, Ada'),
  'web/index.html': '<!doctype html>\n<title>Hello</title>\n<a href="/greet?who=you">hello, you</a>\n',
}

/** The checks of the first commit, which are all of them, and those of the change. */
export const CHECKS = {
  first: ['api syntax', 'api unit', 'docs spelling', 'web links', 'web title'],
  change: ['api syntax', 'api unit', 'web links', 'web title'],
}

/** Makes the work tree with the first commit; returns that. */
export function makeWorkTree(path: string): string {
  mkdirSync(path)
  git(path, '-c', 'init.defaultBranch=main', 'init', '-q')
  return commit(path, FIRST, 'a site that greets')
}

/** Commits the change to a branch of its own. */
export function makeChange(path: string, branch: string): string {
  git(path, 'checkout', '-q', '-b', branch)
  return commit(path, CHANGE, 'greet people by name')
}

function commit(path: string, files: Readonly<Record<string, string>>, message: string): string {
  for (const [name, text] of Object.entries(files)) {
    makeDirectories(dirname(join(path, name)))
    writeFileSync(join(path, name), text, { mode: name.endsWith('.sh') ? 0o755 : 0o644 })
  }
  git(path, 'add', '--all')
  git(path, ...AS, 'commit', '-q', '-m', message)
  return git(path, 'rev-parse', 'HEAD')
}
