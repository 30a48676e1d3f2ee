import { test } from 'tap'

import { readBounds, readElsewhere } from '../../../lib/base/elsewhere.ts'

test('an image, a machine, or here; two at once and anything else is a sentence', t => {
  t.equal(readElsewhere({}), undefined)
  t.equal(readElsewhere({ IMAGE: '', RUN_IN: '' }), undefined)
  t.same(readElsewhere({ IMAGE: 'registry.example.org:5000/a/b@sha256:0' }), {
    image: 'registry.example.org:5000/a/b@sha256:0',
  })
  t.same(readElsewhere({ RUN_IN: 'ssh:me@host' }), { host: 'me@host' })
  t.same(readElsewhere({ RUN_IN: 'here' }), { here: true })
  for (const [env, message] of [
    [{ IMAGE: 'a', RUN_IN: 'here' }, /both set/],
    [{ IMAGE: '--privileged' }, /'--privileged' is not the name of an image/],
    [{ IMAGE: 'a b' }, /not the name of an image/],
    [{ IMAGE: 'a'.repeat(501) }, /not the name of an image/],
    [{ RUN_IN: 'ssh:-oProxyCommand=x' }, /neither ssh:HOST nor here/],
    [{ RUN_IN: 'ssh:a b' }, /neither ssh:HOST nor here/],
    [{ RUN_IN: 'moon' }, /neither ssh:HOST nor here/],
  ] as const)
    t.throws(() => readElsewhere(env), { exitCode: 100, message })
  t.end()
})

test('the bounds of a container are numbers and the name of a network', t => {
  const none = { CONTAINER_NETWORK: 'none' }
  t.same(readBounds(none), { network: 'none' })
  t.same(
    readBounds({
      CONTAINER_NETWORK: 'ci_net',
      CONTAINER_CPUS: '0.5',
      CONTAINER_MEMORY: '512m',
      CONTAINER_PIDS: '64',
    }),
    { network: 'ci_net', cpus: '0.5', memory: '512m', pids: '64' },
  )
  for (const [name, value] of [
    ['CONTAINER_NETWORK', '-p80:80'],
    ['CONTAINER_NETWORK', 'container:other'],
    ['CONTAINER_CPUS', 'many'],
    ['CONTAINER_MEMORY', '1 GB'],
    ['CONTAINER_PIDS', '-1'],
    ['CONTAINER_PIDS', '20'],
  ] as const)
    t.throws(() => readBounds({ ...none, [name]: value }), { exitCode: 100, message: new RegExp(name) })
  t.end()
})
