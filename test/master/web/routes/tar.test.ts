// The archive of all artifacts.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'

import { test } from 'tap'

import type { TaskView } from '../../../../lib/view/view.ts'
import { tarOf } from '../../../../master/web/routes/tar.ts'
import type { JobFiles } from '../../../../master/web/site/job-files.ts'
import { ask, serve } from '../../../fixtures/browser.ts'
import { Sandbox } from '../../../fixtures/sandbox.ts'
import { SpoolMaker } from '../../../fixtures/spool-maker.ts'

const NAME = '7:hello:v1:a'

test('all artifacts are one archive, whatever their names and links', async t => {
  const sandbox = new Sandbox(t)
  const job = new SpoolMaker(sandbox.makeSpool()).finishedJob(NAME, {
    artifacts: { 'a.txt': 'a', 'empty': '', 'deep/er/b.bin': '\0\x01', [`${'long'.repeat(50)}/${'n'.repeat(200)}`]: 'long' }, // prettier-ignore
  })
  const artifacts = join(job, 'artifacts')
  const odd = ['new\nline', '-rf', '"quoted" \'name\'', 'ünï', '..hidden', 'back\\slash', '\x1b[2J']
  for (const name of odd) writeFileSync(join(artifacts, name), name)
  writeFileSync(join(artifacts, 'large'), Buffer.alloc(3_000_000, 'x'))
  symlinkSync('/etc/passwd', join(artifacts, 'secret'))
  symlinkSync('/etc', join(artifacts, 'etc'))
  execFileSync('mkfifo', [join(artifacts, 'pipe')])
  const { url } = await serve(sandbox)
  const answer = await fetch(`${url}/job/7/artifacts.tar`)
  t.equal(answer.headers.get('content-disposition'), 'attachment; filename="hello-7.tar"')
  mkdirSync(sandbox.path('out'))
  execFileSync('tar', ['-xf', '-', '-C', sandbox.path('out')], {
    input: Buffer.from(await answer.arrayBuffer()),
  })
  const out = sandbox.path('out/hello-7')
  const found = readdirSync(out, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(out.length + 1))
  const wanted = [
    ...odd,
    'a.txt',
    'empty',
    'large',
    'deep/er/b.bin',
    `${'long'.repeat(50)}/${'n'.repeat(200)}`,
  ]
  t.same(found.sort(), wanted.sort())
  for (const name of wanted)
    t.ok(readFileSync(join(out, name)).equals(readFileSync(join(artifacts, name))), JSON.stringify(name))
  t.same(readdirSync(sandbox.path('out')), ['hello-7'], 'nothing lands elsewhere')

  t.equal((await fetch(`${url}/job/7/artifacts.tar`, { method: 'HEAD' })).status, 200)
  t.equal((await ask(`${url}/job/8/artifacts.tar`)).status, 404)
})

/** Endless files, and how much was read of them. */
function endless(size: number) {
  const state = { read: 0, open: 0 }
  const files: JobFiles = {
    list: () => Promise.resolve([{ name: 'a', size }, { name: 'b', size }]), // prettier-ignore
    watch: () => Promise.reject(new Error('nobody asks')),
    open: () => {
      state.open++
      return Promise.resolve({
        size,
        read: (_at, length) => {
          state.read += length
          return Promise.resolve(Buffer.alloc(length))
        },
        close: () => {
          state.open--
          return Promise.resolve()
        },
      })
    },
  }
  return { state, files }
}

test('it reads no faster than its reader, and ends with it', async t => {
  const { state, files } = endless(1 << 40)
  const tar = tarOf(files, { num: 7, project: 'hello', job: null } as TaskView)
  let bytes = 0
  for (let i = 0; i < 50; i++) {
    const next = await tar.next()
    if (!next.done) bytes += next.value.length
  }
  await new Promise(done => setTimeout(done, 100))
  t.ok(state.read - bytes < 4 << 20, `${state.read} bytes were read for ${bytes}`)
  await tar.return(undefined)
  t.equal(state.open, 0, 'nothing stays open')
  const { read } = state
  await new Promise(done => setTimeout(done, 50))
  t.equal(state.read, read)
})

test('a file that becomes shorter breaks the archive off, so that nobody takes it for whole', async t => {
  const { files } = endless(10)
  const short: JobFiles = { ...files, open: async (...args) => ({ ...(await files.open(...args))!, size: 20, read: at => Promise.resolve(Buffer.alloc(at < 10 ? 10 : 0)) }) } // prettier-ignore
  const tar = tarOf(short, { num: 7, project: 'hello', job: null } as TaskView)
  await t.rejects(
    (async () => {
      for await (const chunk of tar) t.ok(chunk)
    })(),
    { message: 'it has become shorter' },
  )
})

test('who goes away while it is sent leaves no file open', async t => {
  const sandbox = new Sandbox(t)
  const job = new SpoolMaker(sandbox.makeSpool()).finishedJob(NAME, { artifacts: { large: '' } })
  writeFileSync(join(job, 'artifacts/large'), Buffer.alloc(50_000_000))
  const { url, running } = await serve(sandbox)
  const open = () =>
    readdirSync(`/proc/${running.pid}/fd`).filter(fd => {
      try {
        return execFileSync('readlink', [`/proc/${running.pid}/fd/${fd}`], { encoding: 'utf8' }).includes(
          'large',
        )
      } catch {
        return false
      }
    }).length
  await new Promise<void>(done => {
    const request = get(`${url}/job/7/artifacts.tar`, response => {
      response.once('data', () => {
        t.equal(open(), 1)
        request.destroy()
        done()
      })
    })
  })
  for (let i = 0; i < 100 && open() > 0; i++) await new Promise(done => setTimeout(done, 50))
  t.equal(open(), 0)
})
