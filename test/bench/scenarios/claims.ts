// Claims: eight takers before many waiting tasks, until all are claimed, none of them twice. Beside it the same where the
// spool is full of what is none of their business, and queues that hand out as many items to eight clients.

import { fork, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'

import { floor } from '../floor.ts'
import { Ground } from '../ground.ts'
import { rival } from '../rivals.ts'
import type { Contender, Scenario, Stage } from '../scenario.ts'

const CLIENTS = 8

/** How many claimants there were, for names. */
let worked = 0

interface Sizes {
  readonly waiting: number
  readonly old: number
  readonly others: number
}
const sizes = (quick: boolean): Sizes =>
  quick ? { waiting: 2000, old: 10_000, others: 1000 } : { waiting: 20_000, old: 100_000, others: 10_000 }

const PLAIN = 'BASS, nothing else in the spool'

export const claimScenarios: readonly Scenario[] = [
  {
    name: 'claims',
    about: 'claims per second, 8 takers on 20,000 waiting tasks, none twice',
    unit: '/s',
    better: 'more',
    goal: place =>
      place === 'tmpfs' ? { least: 2000, aim: 10_000 } : { least: 0.7, aim: 0.9, of: 'floor in C' },
    places: ['tmpfs', 'ext4'],
    rounds: { quick: 3, full: 20 },
    open: stage => {
      const { waiting } = sizes(stage.quick)
      return Promise.resolve({
        contenders: [
          claimants('BASS', stage, waiting),
          floor(stage, 'claims', program => {
            const { ground, clear } = layTasks(stage, waiting, {})
            return () => {
              const figure = Number(ground.ok(program, [ground.spool.root, String(CLIENTS)]))
              clear()
              return Promise.resolve(figure)
            }
          }),
          sqlite(new Ground(stage), waiting),
          beanstalkd(new Ground(stage), waiting),
        ],
      })
    },
  },
  {
    name: 'crowded',
    about: 'the same with 100,000 tasks in `old` and 10,000 waiting for others',
    unit: '/s',
    better: 'more',
    goal: { least: 1 / 1.2, aim: 1, of: PLAIN },
    places: ['tmpfs', 'ext4'],
    rounds: { quick: 3, full: 20 },
    open: stage => {
      const { waiting, old, others } = sizes(stage.quick)
      return Promise.resolve({
        contenders: [claimants('BASS', stage, waiting, { old, others }), claimants(PLAIN, stage, waiting)],
      })
    },
  },
]

interface Crowd {
  readonly old?: number
  readonly others?: number
}

/** Lays out tasks that wait, in a crowd. `clear` makes them wait again, all of which have been claimed. */
function layTasks(stage: Stage, waiting: number, { old = 0, others = 0 }: Crowd) {
  const ground = new Ground(stage)
  const { tasks, jobs } = ground.makeSpool()
  for (let i = 1; i <= old; i++) mkdirSync(join(tasks.old, `${i}:hello:v1:testarch`))
  for (let i = 1; i <= others; i++) mkdirSync(join(tasks.cur, `${old + 2 * i}:hello:v1:otherarch`))
  const names = Array.from({ length: waiting }, (_, i) => `${old + 2 * i + 1}:hello:v1:testarch`)
  for (const name of names) {
    mkdirSync(join(tasks.cur, name))
    for (const file of ['code.tar', 'steps.tar', 'code-revision.txt', 'code-version.txt'])
      writeFileSync(join(tasks.cur, name, file), '')
  }
  const clear = () => {
    for (const name of names) unlinkSync(join(tasks.cur, name, 'claim'))
    for (const directory of [jobs.cur, jobs.tmp])
      for (const name of readdirSync(directory)) rmSync(join(directory, name), { recursive: true })
  }
  return { ground, clear }
}

/** Claimants, eight if nothing else is said, before tasks that wait. */
export function claimants(
  name: string,
  stage: Stage,
  waiting: number,
  { clients = CLIENTS, ...crowd }: Crowd & { readonly clients?: number } = {},
): Contender {
  const { ground, clear } = layTasks(stage, waiting, crowd)
  const workers = Array.from({ length: clients }, (_, i) => {
    const worker = fork(join(__dirname, '../claimer.js'), [ground.spool.root, `host-${i}`], {
      env: ground.env,
      execArgv: stage.profiler?.options(`claimer.${worked++}`) ?? [],
    })
    const ended = new Promise(done => worker.on('exit', done))
    stage.teardown(async () => {
      if (worker.connected) worker.disconnect()
      await ended
    })
    return worker
  })
  return {
    name,
    round: async () => {
      const began = performance.now()
      const claimed = (await Promise.all(workers.map(claimAll))).flat()
      const took = performance.now() - began
      if (claimed.length !== waiting || new Set(claimed).size !== waiting) {
        throw new Error(`${claimed.length} claims of ${new Set(claimed).size} tasks; there were ${waiting}`)
      }
      clear()
      return (waiting / took) * 1000
    },
  }
}

const claimAll = (worker: ChildProcess) =>
  new Promise<string[]>((done, failed) => {
    const exited = (code: unknown) => failed(new Error(`a claimant ended with ${String(code)}`))
    worker.once('exit', exited)
    worker.once('message', names => {
      worker.off('exit', exited)
      done(names as string[])
    })
    worker.send('go')
  })

/** A table of a database, as job queues in SQLite have it: each claim one durable transaction. */
function sqlite(ground: Ground, waiting: number): Contender {
  return rival('SQLite (WAL, synchronous=FULL)', ['sqlite3'], () => {
    const [database, script] = [ground.path('queue.db'), ground.path('claims.sql')]
    const update =
      "UPDATE queue SET owner = 'host' WHERE id = (SELECT id FROM queue WHERE owner IS NULL ORDER BY id LIMIT 1) RETURNING id;\n"
    const each = Math.ceil(waiting / CLIENTS)
    writeFileSync(script, `.timeout 600000\nPRAGMA synchronous=FULL;\n${update.repeat(each)}`)
    const sql = (text: string) => ground.ok('sqlite3', [database], { input: text })
    sql(`PRAGMA journal_mode=WAL; CREATE TABLE queue (id INTEGER PRIMARY KEY, owner TEXT);
      CREATE INDEX waiting ON queue (id) WHERE owner IS NULL;`)
    return async () => {
      sql(`DELETE FROM queue; WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${each * CLIENTS})
        INSERT INTO queue SELECT i, NULL FROM n;`)
      const began = performance.now()
      await Promise.all(
        Array.from({ length: CLIENTS }, () =>
          run('sh', ['-c', 'sqlite3 "$0" <"$1" >/dev/null', database, script]),
        ),
      )
      const took = performance.now() - began
      if (sql('SELECT count(*) FROM queue WHERE owner IS NULL;') !== '0') throw new Error('SQLite left some')
      return ((each * CLIENTS) / took) * 1000
    }
  })
}

const run = (program: string, args: string[]) =>
  new Promise<void>((done, failed) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] })
    child.on('error', failed)
    child.on('exit', code => (code === 0 ? done() : failed(new Error(`${program}: exit ${String(code)}`))))
  })

const PORT = 21_300

/** A broker: each item is reserved and then deleted, which its journal has on the disk before it answers. */
function beanstalkd(ground: Ground, waiting: number): Contender {
  return rival('beanstalkd (-f0)', ['beanstalkd'], () => {
    mkdirSync(ground.path('journal'))
    ground.start('beanstalkd', ['-l', '127.0.0.1', '-p', String(PORT), '-b', ground.path('journal'), '-f0'])
    let client: Client | undefined
    return async () => {
      client ??= await Client.open()
      for (let i = 0; i < waiting; i++) client.send(`put 0 0 600 4\r\nitem\r\n`)
      await client.answers(waiting, /^INSERTED /)
      const clients = await Promise.all(Array.from({ length: CLIENTS }, () => Client.open()))
      const began = performance.now()
      const counts = await Promise.all(clients.map(client => client.takeAll()))
      const took = performance.now() - began
      for (const client of clients) client.close()
      const total = counts.reduce((sum, count) => sum + count, 0)
      if (total !== waiting) throw new Error(`beanstalkd gave out ${total}`)
      return (waiting / took) * 1000
    }
  })
}

/** A client of beanstalkd's protocol, as far as we need it. */
class Client {
  readonly #socket
  readonly #lines: string[] = []
  #rest = ''
  #wake: (() => void) | undefined

  private constructor(socket: ReturnType<typeof connect>) {
    this.#socket = socket
    socket.setNoDelay(true)
    socket.setEncoding('latin1').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\r\n')
      this.#rest = lines.pop()!
      this.#lines.push(...lines)
      this.#wake?.()
    })
  }

  static async open(): Promise<Client> {
    for (let tries = 0; ; tries++) {
      const socket = connect(PORT, '127.0.0.1')
      try {
        await new Promise<void>((done, failed) => socket.on('connect', done).on('error', failed))
        return new Client(socket)
      } catch (error) {
        // It has just been started.
        if (tries === 50) throw error
        await new Promise(done => setTimeout(done, 20))
      }
    }
  }

  send(text: string): void {
    this.#socket.write(text, 'latin1')
  }

  async #line(): Promise<string> {
    for (;;) {
      const line = this.#lines.shift()
      if (line !== undefined) return line
      await new Promise<void>(done => (this.#wake = done))
    }
  }

  async answers(count: number, like: RegExp): Promise<void> {
    for (let i = 0; i < count; i++) {
      const line = await this.#line()
      if (!like.test(line)) throw new Error(`beanstalkd: ${line}`)
    }
  }

  async takeAll(): Promise<number> {
    for (let count = 0; ; count++) {
      this.send('reserve-with-timeout 0\r\n')
      const [word, id] = (await this.#line()).split(' ')
      if (word !== 'RESERVED') return count
      await this.#line()
      this.send(`delete ${id!}\r\n`)
      await this.answers(1, /^DELETED$/)
    }
  }

  close(): void {
    this.#socket.destroy()
  }
}
