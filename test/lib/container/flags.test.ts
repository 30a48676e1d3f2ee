import { test } from 'tap'

import { complaintOf, findEngine } from '../../../lib/container/engine.ts'
import { containerFlags } from '../../../lib/container/flags.ts'
import { ownerLabel, ownerOf } from '../../../lib/container/owner.ts'
import { self } from '../../../lib/system/process.ts'

test('a container has no network, no privileges and no new ones, and is removed when it ends', async t => {
  const flags = containerFlags({ image: 'busy:1', name: 'x', labels: { a: 'b c' }, network: 'none' }).join(
    ' ',
  )
  t.equal(
    flags,
    '--rm --pull missing --name x --network none --security-opt no-new-privileges --label a=b c busy:1',
  )
})

test('limits, volumes and what to run are flags of both engines', async t => {
  const flags = containerFlags({
    image: 'i',
    name: 'x',
    labels: {},
    network: 'n',
    cpus: '1',
    memory: '20m',
    pids: '64',
    user: '1:1',
    volumes: { '/a': 'vol', '/b': '' },
    shared: { '/s': 'all' },
    entrypoint: '/e',
    args: ['-x'],
    env: { K: 'V=1' },
    readOnly: true,
    interactive: true,
  }).join(' ')
  t.match(
    flags,
    '--cpus 1 --memory 20m --user 1:1 --pids-limit 64 --volume vol:/a --volume /b --volume all:/s:ro --env K=V=1',
  )
  t.match(flags, /--read-only --interactive --entrypoint \/e i -x$/)
})

test('CONTAINER names the engine, with its options, and nothing else', async t => {
  t.match(findEngine({ CONTAINER: '/opt/podman --root /x' }), {
    name: 'podman',
    command: ['/opt/podman', '--root', '/x'],
  })
  t.throws(() => findEngine({ CONTAINER: 'lxc' }), { exitCode: 100, message: /neither podman nor docker/ })
  t.throws(() => findEngine({ PATH: '/nowhere' }), { exitCode: 100, message: /apt-get install podman/ })
})

test('an owner is read from its label again, and what is none is not', async t => {
  const { 'bass.owner': label } = ownerLabel('here')
  t.same(ownerOf(label!), { host: 'here', ...self() })
  for (const other of ['', 'a b c', 'h b n x 5', 'h b n 1 5 6']) t.equal(ownerOf(other), undefined, other)
})

test('the last sentence of an engine is its complaint', async t => {
  t.equal(complaintOf({ name: 'podman' }, 'Trying...\nError: no such image\n'), 'podman: no such image')
  t.equal(
    complaintOf({ name: 'docker' }, "docker: Error response from daemon: nope.\nSee 'docker run --help'.\n"),
    'docker: nope.',
  )
  t.equal(
    complaintOf(
      { name: 'docker' },
      "docker: Error response from daemon: no\n\nRun 'docker run --help' for more information\n",
    ),
    'docker: no',
  )
})
