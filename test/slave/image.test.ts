// From a push to a job in a real container: which of a project, a machine and the code says where steps run.

import { rmSync, writeFileSync } from 'node:fs'
import tap, { test } from 'tap'

import { lacksPodman, Podman } from '../fixtures/podman.ts'
import { Shop } from '../fixtures/shop.ts'
import { lacks, Sandbox } from '../fixtures/sandbox.ts'
import { sitAtShell } from '../fixtures/terminal.ts'

const skip = lacksPodman()
const podman = skip ? undefined : makePodman()

function makePodman(): Podman {
  const made = new Podman(tap, new Sandbox(tap))
  // What runs a line of a Testfile asks for bash.
  const more = { 'bin/bash': '#!/bin/sh\nexec sh "$@"\n' }
  for (const name of ['project', 'machine', 'code'])
    made.importBusybox(`${name}:1`, { name: `${name}\n`, ...more })
  return made
}

tap.setTimeout(300_000)

test(
  'a project stands before a machine, and both before the code; a job without any of them runs here',
  { skip },
  t => {
    const shop = new Shop(t, podman!.env)
    const [project, machine] = ['IMAGE=project:1\n', { IMAGE: 'machine:1' }]
    const line = (text: string) => text.split('\n')[0]
    t.equal(line(shop.said(shop.build('', {}))), 'none')
    t.equal(shop.said(shop.build('', {}, 'code:1\n')), 'code\n1\n', 'with nothing but its loopback')
    const inImage = shop.build('', machine)
    t.equal(line(shop.said(inImage)), 'machine')
    t.match(shop.sandbox.run('bin/bass', ['show', inImage]).stdout, /^ *runs in +image machine:1$/m)
    t.equal(line(shop.said(shop.build(project, machine))), 'project')
    t.equal(line(shop.said(shop.build(project, { RUN_IN: 'ssh:nowhere.invalid' }))), 'project')
    t.equal(line(shop.said(shop.build('RUN_IN=here\n', machine))), 'none')
    t.equal(line(shop.said(shop.build('', { RUN_IN: 'here' }))), 'none')

    const last = shop.build(`${project}CONTAINER_NETWORK=nothing-like-it\n`, {})
    t.match(shop.error(last), /nothing-like-it/, 'the bounds of a container travel as well')
    t.match(shop.error(shop.build('', {}, '--privileged\n')), /'--privileged' is not the name of an image/)

    // Nobody is helped by trying that again; a registry that is away may come back.
    t.match(
      shop.error(shop.build('IMAGE=nosuch:1\n', {})),
      /unable to run 'nosuch:1': there is no such image, or no right to it: short-name "nosuch:1"/,
    )

    // With an image alone there are no steps in `.bass/`; the lines of a Testfile run in it.
    rmSync(shop.sandbox.path('work/.bass/a'))
    writeFileSync(shop.sandbox.path('work/Testfile'), 'unit: cat /name\n')
    writeFileSync(shop.sandbox.path('work/.bass/image'), 'code:1\n')
    t.equal(shop.said(shop.build('', { LINE_TIMEOUT: '60' })), 'code\n')
    t.equal(podman!.ask('ps', '--all', '--quiet'), '')
    t.end()
  },
)

test(
  'bass run and bass shell take a task where its project says',
  { skip: skip || lacks('/usr/bin/python3') },
  t => {
    const shop = new Shop(t, podman!.env)
    const step = (name: string, script: string) =>
      writeFileSync(shop.sandbox.path('work/.bass', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    step('a', 'cat /name; echo made > made')
    step('b', 'grep -q mended made')
    const name = shop.build('IMAGE=project:1\n', {})
    t.match(
      shop.sandbox.run('bin/bass', ['run', name]).stdout,
      /^== a\nproject\n== b\n== failure: .*'b' exited/,
    )

    const before = shop.sandbox.ls('jobtmp')
    const shell = (args: string[], input: string) =>
      shop.sandbox.run('bin/bass', ['shell', ...args, name], {
        input,
        env: { STEP_ENV: 'TOKEN', TOKEN: 'a\nb' },
      })
    const { code, stdout, stderr } = shell(
      [],
      'cat /name made; pwd; echo "$TOKEN"; "$BASS_STEP" || echo as it failed; echo mended > made; "$BASS_STEP"; exit 7\n',
    )
    t.equal(code, 7)
    t.equal(stdout, '== a\nproject\nproject\nmade\n/bass/work/code\na\nb\nas it failed\n')
    t.equal(stderr, 'here starts b: "$BASS_STEP" runs it\n')
    t.match(shell(['--fresh'], 'ls -A; cat /name').stdout, /^\.bass\nproject\n$/, 'no step was run before')
    t.match(sitAtShell(shop.sandbox, name, '$(cat /name)'), { code: 7, stdout: /said 130 project vt220\s/ })
    t.equal(podman!.ask('ps', '--all', '--quiet'), '', 'its container is gone')
    t.same(shop.sandbox.ls('jobtmp'), before)
    t.end()
  },
)
