import { mkdirSync } from 'node:fs'
import os from 'node:os'
import tap from 'tap'

import { FarmerClient } from '../../../slave/sources/farmer-client.ts'
import { FarmSource } from '../../../slave/sources/farm.ts'
import { Health } from '../../../slave/sources/health.ts'
import { Farm, SECRET } from '../../fixtures/farm.ts'
import { slaveSettings } from '../../fixtures/slave-settings.ts'
import { keepsPromises } from '../../fixtures/sources.ts'

const opened = Farm.make(tap).then(async farm => ({ farm, farmer: await farm.farmer() }))
let [workers, published] = [0, 0]

keepsPromises('a farmer', async () => {
  const { farm, farmer } = await opened
  await farm.db`with ended as (delete from run) delete from job`
  const directory = farm.path(`worker-${++workers}`)
  mkdirSync(directory)
  const verdict = async (num: string) =>
    (await farm.db<{ verdict: string }[]>`select verdict from result where num = ${num}`)[0]?.verdict
  const settings = { ...slaveSettings(farm), directory, version: '1', labels: [], clean: false }
  const health = new Health({ slot: directory }, settings, () => undefined)
  return {
    open: stop =>
      Promise.resolve(new FarmSource(new FarmerClient(farmer.url, SECRET), settings, health, stop)),
    publish: async () => {
      const revision = farm.commit({
        'hello.txt': 'hello\n',
        Testfile: 'step: true\n',
        count: `${++published}\n`,
      })
      await farm.push(farmer.url, revision)
      for (;;) {
        const [job] = await farm.db<{ num: number }[]>`select num from job`
        if (job) return String(job.num)
        await new Promise(done => setTimeout(done, 20))
      }
    },
    cancel: async num => {
      await farm.db`select cancel(array[${num}]::bigint[], 'a person')`
    },
    lose: async num => {
      await farm.db`select lose(array(select worker from run where job = ${num}), true)`
    },
    verdict,
  }
})

tap.test(
  'a machine that was suspended ends its job at once when it goes on, though nobody answers',
  async t => {
    const { farm, farmer } = await opened
    await farm.db`with ended as (delete from run) delete from job`
    const directory = farm.path('suspended')
    mkdirSync(directory)
    const settings = { ...slaveSettings(farm), directory, version: '1', labels: [], clean: false }
    const health = new Health({ slot: directory }, settings, () => undefined)
    const stop = new AbortController()
    const source = new FarmSource(new FarmerClient(farmer.url, SECRET), settings, health, stop.signal)
    await farm.push(farmer.url, farm.commit({ Testfile: 'step: true\n', count: 'suspended\n' }))
    const assignment = (await source.next())!
    const { uptime } = os
    const lost = new Promise<number>(done => {
      const heart = assignment.beat(word => {
        heart.stop()
        t.equal(word, 'lost')
        done(performance.now())
      })
    })
    // The clock that goes on meanwhile says so; the timers of a process stand still with it.
    farmer.child.kill('SIGSTOP')
    os.uptime = () => uptime() + 60
    const began = performance.now()
    const took = (await lost) - began
    t.ok(took < 4000, `after ${took.toFixed(0)} ms`)
    os.uptime = uptime
    farmer.child.kill('SIGCONT')
    stop.abort()
    await source.close()
  },
)
