// The whole way, on a whole history: one push of a repository with branches, merges and tags becomes one task for each
// commit and architecture, and each job has its commit's tree, name by name and bit by bit.

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { verdictOf } from '../../lib/spool/job.ts'
import { parseTaskName } from '../../lib/spool/task-name.ts'
import { eventually, ROOT, Sandbox } from '../fixtures/sandbox.ts'

/** How many commits the history has, at least. */
const COMMITS = 500

/** A history as `git fast-import` reads it: branches that come and go, merges, tags, modes, symlinks and odd names. */
function history(): string {
  const lines: string[] = []
  const blob = (text: string) => `data ${Buffer.byteLength(text)}\n${text}\n`
  let mark = 0
  let when = 1_600_000_000
  const commit = (ref: string, from: number | undefined, merge: number | undefined, changes: string[]) => {
    mark++
    when += mark % 3 === 0 ? 0 : 60
    lines.push(
      `commit ${ref}\nmark :${mark}\ncommitter Ada <ada@example.org> ${when} +0000\n${blob(`commit ${mark}`)}`.trimEnd(),
      ...(from === undefined ? [] : [`from :${from}`]),
      ...(merge === undefined ? [] : [`merge :${merge}`]),
      ...changes,
      '',
    )
    return mark
  }
  const file = (path: string, text: string, mode = '100644') =>
    `M ${mode} inline "${path}"\n${blob(text).trimEnd()}`
  let main = commit('refs/heads/main', undefined, undefined, [
    file('hello.txt', 'hello\n'),
    file('run me', '#!/bin/sh\n', '100755'),
    file('dir/link', '../hello.txt', '120000'),
    file('dir/n\\303\\244me', 'x'),
    file('dir/b\\377d', 'x'),
    file('-dash', 'x'),
    file('a'.repeat(120) + '/' + 'b'.repeat(120), 'long'),
  ])
  for (let n = 0; mark < COMMITS; n++) {
    main = commit('refs/heads/main', main, undefined, [file(`dir/${n % 20}/file`, `${n}\n`)])
    if (n % 7 === 0) {
      let side = commit(`refs/heads/feature/${n}`, main, undefined, [
        file(`side/${n}`, `${n}\n`, n % 2 ? '100755' : '100644'),
      ])
      side = commit(`refs/heads/feature/${n}`, side, undefined, [file(`side/${n}`, `${n}+\n`)])
      main = commit('refs/heads/main', main, side, [
        file(`side/${n}`, `${n}+\n`),
        ...(n % 14 ? [] : ['D dir/1/file']),
      ])
      if (n % 21 === 0) lines.push(`reset refs/tags/v${n}\nfrom :${main}\n`)
    }
  }
  return lines.join('\n')
}

test(
  'a history pushed at once becomes one task for each commit and architecture',
  { timeout: 900_000 },
  async t => {
    const site = new Sandbox(t)
    const { revs } = site.makeSpool()
    site.git('.', 'init', '-q', '--bare', 'hello.git')
    mkdirSync(site.path('hello.git/hooks'), { recursive: true })
    site.ok('cp', [
      join(ROOT, 'hooks/post-receive'),
      join(ROOT, 'hooks/bass-work-off'),
      site.path('hello.git/hooks'),
    ])
    site.git('hello.git', 'config', 'bass.revs', join(revs, 'hello'))
    site.git('hello.git', 'config', 'bass.maxRevisions', '0')
    site.git('.', 'init', '-q', 'work')
    site.ok('git', ['fast-import', '--quiet'], { cwd: site.path('work'), input: history() })
    site.git('.', 'init', '-q', 'steps')
    mkdirSync(site.path('steps'), { recursive: true })
    writeFileSync(
      site.path('steps/tree'),
      '#!/bin/sh -e\nexport GIT_DIR="$TMPDIR/git" GIT_WORK_TREE="$PWD"\ngit init -q\ngit add -Af .\ngit write-tree\n',
    )
    chmodSync(site.path('steps/tree'), 0o755)
    site.git('steps', 'add', '.')
    site.git('steps', 'commit', '-qm', 'steps')
    const commits = site.git('work', 'rev-list', '--all').split('\n')
    t.ok(commits.length >= COMMITS)

    site.git('work', 'push', '-q', '--mirror', site.path('hello.git'))

    const env = {
      REVS: join(revs, 'hello'),
      PROJ: site.path('hello.git'),
      STEPS: site.path('steps'),
      ARCHS: 'testarch otherarch',
    }
    const maker = site.start('master/bin/task-maker', [], { env })
    for (const slot of ['slot-1', 'slot-2']) {
      mkdirSync(site.path(slot))
      site.start('slave/bin/task-taker', [], { cwd: site.path(slot) })
    }
    const all = commits.length
    await eventually('all tasks to be made', () => maker.stdout().split('\n').length - 1 === 2 * all, 400)
    await eventually('all of ours to be over', () => site.ls('spool/tasks/old').length === all, 400)

    const revisionOf = (task: string) => readFileSync(join(task, 'code-revision.txt'), 'utf8').trim()
    const waiting = site.ls('spool/tasks/cur')
    t.ok(
      waiting.every(name => parseTaskName(name)?.arch === 'otherarch'),
      'the other architecture waits',
    )
    for (const place of ['old', 'cur'] as const) {
      const made = site.ls('spool/tasks', place).map(name => revisionOf(join(site.spool.tasks[place], name)))
      t.same(made.sort(), [...commits].sort(), `each commit once in ${place}`)
    }
    const trees = new Map(
      site
        .git('work', 'log', '--all', '--format=%H %T')
        .split('\n')
        .map(line => line.split(' ') as [string, string]),
    )
    const wrong = site.ls('spool/tasks/old').filter(name => {
      const job = join(site.spool.jobs.cur, name)
      const tree = readFileSync(join(job, 'steps/tree/stdout.txt'), 'utf8').split(' ')[1]?.trim()
      return verdictOf(job) !== 'success' || tree !== trees.get(revisionOf(join(site.spool.tasks.old, name)))
    })
    t.same(wrong, [], 'each job has the tree of its commit')
  },
)
