import { spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import {
  DEAD,
  fsyncPath,
  linkOnce,
  linkOpened,
  move,
  publishFile,
  readIfThere,
  sweep,
  token,
  writeNew,
} from '../../../lib/system/durable.ts'
import { remove } from '../../../lib/system/remove.ts'
import { eventually, ROOT, Sandbox } from '../../fixtures/sandbox.ts'

const DURABLE = join(ROOT, 'dist/lib/system/durable.js')

/** Runs this JavaScript, in which `durable` is the module, in `count` processes that begin at one moment. */
async function together(box: Sandbox, count: number, code: string): Promise<string[]> {
  const script = `
    const durable = require(process.argv[1])
    process.stdout.write('ready\\n')
    process.stdin.once('data', () => { ${code} }).once('end', () => process.stdin.pause())`
  const children = Array.from({ length: count }, (_, n) => {
    const child = spawn(process.execPath, ['-e', script, DURABLE, String(n)], { cwd: box.dir, env: box.env })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
    const ended = new Promise<string>(done => child.once('close', () => done(said.replace('ready\n', ''))))
    return { child, said: () => said, ended }
  })
  await eventually('all are ready', () => children.every(({ said }) => said() === 'ready\n'))
  for (const { child } of children) child.stdin.end('go')
  return Promise.all(children.map(({ ended }) => ended))
}

test('a token is 16 hex digits, and another each time', async t => {
  const tokens = Array.from({ length: 1000 }, token)
  t.ok(tokens.every(text => /^[0-9a-f]{16}$/.test(text)))
  t.equal(new Set(tokens).size, 1000)
})

test('files and directories can be fsynced, what is missing is an error', async t => {
  const box = new Sandbox(t)
  writeFileSync(box.path('file'), 'x')
  fsyncPath(box.path('file'))
  fsyncPath(box.dir)
  t.throws(() => fsyncPath(box.path('missing')), { code: 'ENOENT' })
})

test('a new file has its content and mode, and is never written over', async t => {
  const box = new Sandbox(t)
  const before = process.umask(0o022)
  t.teardown(() => process.umask(before))
  writeNew(box.path('a'), 'é')
  writeNew(box.path('b'), Buffer.from([0, 255]), 0o755)
  writeNew(box.path('c'), '')
  t.equal(readFileSync(box.path('a'), 'utf8'), 'é')
  t.strictSame([...readFileSync(box.path('b'))], [0, 255])
  t.equal(readFileSync(box.path('c'), 'utf8'), '')
  t.strictSame(
    ['a', 'b'].map(name => statSync(box.path(name)).mode & 0o777),
    [0o644, 0o755],
  )
  t.throws(() => writeNew(box.path('a'), 'other'), { code: 'EEXIST' })
  t.equal(readFileSync(box.path('a'), 'utf8'), 'é')
})

const cannotMount = spawnSync('unshare', ['-rm', 'true']).status !== 0 && 'needs unshare -rm'

test('a disk that is full leaves no half of a new file', { skip: cannotMount }, async t => {
  const box = new Sandbox(t)
  mkdirSync(box.path('tiny'))
  const code = `
    const { writeNew, publishFile } = require(process.argv[1])
    for (const make of [writeNew, publishFile]) {
      try { make('tiny/file', 'x'.repeat(1e6)) } catch (error) { console.log(error.code) }
    }
    console.log(fs.readdirSync('tiny').length)`
  const script = 'mount -t tmpfs -o size=64k tiny tiny && exec "$@"'
  const said = box.ok('unshare', ['-rm', 'sh', '-c', script, 'sh', process.execPath, '-e', code, DURABLE])
  t.equal(said, 'ENOSPC\nENOSPC\n0')
})

test('a link is made once, by one of many processes', async t => {
  const box = new Sandbox(t)
  mkdirSync(box.path('taken'))
  const code = `
    const me = process.argv[2]
    for (let n = 0; n < 200; n++) {
      durable.writeNew('mine.' + n + '.' + me, me)
      if (durable.linkOnce('mine.' + n + '.' + me, 'taken/' + n)) console.log(n)
    }`
  const winners = await together(box, 4, code)
  const won = winners.flatMap((said, me) =>
    said
      .split('\n')
      .filter(n => n !== '')
      .map(n => ({ n, me })),
  )
  t.equal(won.length, 200, 'each has one winner')
  for (const { n, me } of won) {
    if (readFileSync(box.path('taken', n), 'utf8') !== String(me)) t.fail(`${n} is not its winner's`)
  }
})

test('a link that was made is ours, whatever was reported', async t => {
  const box = new Sandbox(t)
  writeFileSync(box.path('mine'), 'x')
  const fd = openSync(box.path('mine'), 'r+')
  t.teardown(() => closeSync(fd))
  // As if the reply had been lost and the call were made again: it says EEXIST now.
  linkSync(box.path('mine'), box.path('taken'))
  t.equal(linkOpened(fd, box.path('mine'), box.path('taken')), true)
})

test('a link to a name that is taken, or in a directory that is gone, is not made', async t => {
  const box = new Sandbox(t)
  writeFileSync(box.path('mine'), 'x')
  writeFileSync(box.path('taken'), 'y')
  t.equal(linkOnce(box.path('mine'), box.path('taken')), false)
  t.throws(() => linkOnce(box.path('mine'), box.path('gone/name')), { code: 'ENOENT' })
  t.equal(statSync(box.path('mine')).nlink, 1)
})

test('what was published first stands, and nothing else is left', async t => {
  const box = new Sandbox(t)
  mkdirSync(box.path('d'))
  t.equal(publishFile(box.path('d/result'), 'first'), true)
  t.equal(publishFile(box.path('d/result'), 'second'), false)
  t.equal(readFileSync(box.path('d/result'), 'utf8'), 'first')
  t.strictSame(readdirSync(box.path('d')), ['result'])
})

test('of many processes that publish one name, one does, with all of its content', async t => {
  const box = new Sandbox(t)
  mkdirSync(box.path('d'))
  const answers = await together(
    box,
    4,
    `for (let n = 0; n < 50; n++) {
       if (durable.publishFile('d/' + n, process.argv[2].repeat(10000))) process.stdout.write('x')
     }`,
  )
  t.equal(answers.join(''), 'x'.repeat(50))
  t.equal(readdirSync(box.path('d')).length, 50)
  for (const name of readdirSync(box.path('d')))
    t.match(readFileSync(box.path('d', name), 'utf8'), /^(\d)\1{9999}$/)
})

test('a move says who made it: this call, or somebody else before', async t => {
  const box = new Sandbox(t)
  for (const name of ['a', '.a', 'cur']) mkdirSync(box.path(name))
  for (const name of ['a', '.a']) {
    t.equal(move(box.path(name), box.path('cur', name)), true)
    t.equal(move(box.path(name), box.path('cur', name)), false)
    t.ok(existsSync(box.path('cur', name)))
  }
})

test('a move that fails is an error while the thing is where it was, hidden or not', async t => {
  const box = new Sandbox(t)
  mkdirSync(box.path('cur/taken/full'), { recursive: true })
  for (const name of ['shown', '.hidden']) {
    mkdirSync(box.path(name))
    t.throws(() => move(box.path(name), box.path('nowhere', name)), { code: 'ENOENT' })
    t.throws(() => move(box.path(name), box.path('cur/taken')), { code: 'ENOTEMPTY' })
    t.ok(existsSync(box.path(name)))
  }
})

test('of many processes that move one name, one does', async t => {
  const box = new Sandbox(t)
  for (let n = 0; n < 100; n++) mkdirSync(box.path('tmp', String(n)), { recursive: true })
  mkdirSync(box.path('cur'))
  const answers = await together(
    box,
    4,
    `for (let n = 0; n < 100; n++) if (durable.move('tmp/' + n, 'cur/' + n)) process.stdout.write('x')`,
  )
  t.equal(answers.join(''), 'x'.repeat(100))
  t.equal(box.ls('cur').length, 100)
})

test('a small file is read where there is one', async t => {
  const box = new Sandbox(t)
  writeFileSync(box.path('file'), 'é\n')
  t.equal(readIfThere(box.path('file')), 'é\n')
  t.equal(readIfThere(box.path('missing')), undefined)
  t.equal(readIfThere(box.path('file/below')), undefined)
})

test('what is no small file is not read, and not waited for', async t => {
  const box = new Sandbox(t)
  box.ok('mkfifo', ['fifo'])
  box.ok('truncate', ['-s', '5G', 'huge'])
  symlinkSync('loop', box.path('loop'))
  for (const name of ['.', 'fifo', 'huge', 'loop']) t.equal(readIfThere(box.path(name)), undefined, name)
})

test('what is swept is gone, and its directory holds nothing else', async t => {
  const box = new Sandbox(t)
  mkdirSync(box.path('d/tree/below'), { recursive: true })
  writeFileSync(box.path('d/tree/below/file'), 'x')
  writeFileSync(box.path('d/file'), 'x')
  sweep(box.path('d/tree'))
  sweep(box.path('d/file'))
  sweep(box.path('d/missing'))
  t.strictSame(readdirSync(box.path('d')), [])
})

test('a sweep that is killed has moved all of it out of sight, or nothing', async t => {
  const box = new Sandbox(t)
  mkdirSync(box.path('d/tree'), { recursive: true })
  for (let n = 0; n < 3000; n++) writeFileSync(box.path('d/tree', String(n)), '')
  const sweeper = box.start(process.execPath, ['-e', `require(process.argv[1]).sweep('d/tree')`, DURABLE])
  await eventually('it has begun', () => !box.ls('d').includes('tree'))
  await sweeper.kill('SIGKILL')
  const left = readdirSync(box.path('d'))
  t.ok(left.every(name => name.startsWith(DEAD)))
  for (const name of left) remove(box.path('d', name))
  t.strictSame(readdirSync(box.path('d')), [])
})
