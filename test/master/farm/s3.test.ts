// Output in a real S3: workers write with signed addresses alone, and wait for a server that is away.

import { test } from 'tap'

import { Farm } from '../../fixtures/farm.ts'
import { eventually } from '../../fixtures/sandbox.ts'
import { startSwift } from '../../fixtures/swift.ts'

/** For how long the store is away, in milliseconds, after a worker has said so. `npm run test:farm` has the long form. */
const AWAY = process.env['FARM'] === 'long' ? 60_000 : 1000

test(
  'logs and artifacts go to S3, also where that is away at the end of a job',
  { timeout: AWAY + 180_000 },
  async t => {
    const [farm, swift] = await Promise.all([Farm.make(t), startSwift(t)])
    const go = farm.path('go')
    const revision = farm.commit({
      Testfile: `log: seq 200000; echo art >"$BASS_ARTIFACTS/a.txt"; until test -e '${go}'; do sleep 0.1; done\n`,
    })
    const farmer = await farm.farmer(swift.settings)
    // It has no key to the store.
    const worker = farm.worker(farmer.url)
    t.equal(await farm.push(farmer.url, revision), 202)
    for (let n = 0; n === 0; n = (await farm.db`select 1 from run where steps <> '[]'`).length) {
      await new Promise(done => setTimeout(done, 100))
    }
    await swift.away()
    farm.ok('touch', [go])
    await eventually('a worker that complains', () => worker.stderr().includes('unable to store'), 60)
    await new Promise(done => setTimeout(done, AWAY))
    t.equal((await farm.db`select 1 from result`).length, 0)
    await swift.back()
    t.same(await farm.verdicts(1), { log: 'success' })
    const [result] = await farm.db<{ num: number; try: number }[]>`select num, try from result`
    t.equal(result!.try, 1)
    const log = await (await fetch(`${farmer.url}/job/${result!.num}/log/log?plain`)).text()
    t.equal(log.split('\n').length, 200_001)
    t.equal(await (await fetch(`${farmer.url}/job/${result!.num}/artifacts/a.txt`)).text(), 'art\n')

    const [{ attempt } = { attempt: '' }] = await farm.db<{ attempt: string }[]>`select attempt from result`
    const key = `${swift.settings['S3_ENDPOINT']}/farm/jobs/${result!.num}/${attempt}/steps/log/stdout.txt`
    t.ok((await fetch(key)).status >= 400, 'nobody reads the store without a key')
    t.ok((await swift.list()).every(name => name.startsWith(`jobs/${result!.num}/`)))
    const forgetful = await farm.farmer({ ...swift.settings, RETENTION: '1' })
    while ((await farm.db`select 1 from result`).length > 0) await new Promise(done => setTimeout(done, 100))
    t.same(await swift.list(), [], 'what is forgotten leaves nothing')
    await forgetful.kill('SIGTERM')
    const wrong = await farm.start('master/bin/farmer', [], {
      env: { ...swift.settings, AWS_SECRET_ACCESS_KEY: 'wrong', FARMER_LISTEN: '127.0.0.1:0' },
    }).ended
    t.match(wrong.stderr, /unable to use the bucket 'farm'/)
  },
)
