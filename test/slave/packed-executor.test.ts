// The executor out of one file: V8 takes what it made of that, and it is the same executor.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { test } from 'tap'

import { tarOf } from '../../lib/exec/pack.ts'
import { commandIn, findRuntime, nodeIn, packerIn } from '../../lib/exec/runtime.ts'
import { start } from '../../lib/system/run.ts'
import { Sandbox } from '../fixtures/sandbox.ts'

test('a runtime packs its executor, and V8 takes back what it made of it', async t => {
  const sandbox = new Sandbox(t)
  const there = sandbox.path('there')
  mkdirSync(there)
  const tar = start(['tar', '-xf', '-', '-C', there], { stdio: ['pipe', 'ignore', 'inherit'] })
  await Promise.all([
    new Promise(done => tar.on('close', done)),
    pipeline(tarOf(findRuntime().items), tar.stdin),
  ])
  const [node, ...args] = nodeIn(there)
  const ok = (...more: string[]) => sandbox.ok(node!, [...args, ...more])
  ok(packerIn(there))
  const look = `
    const { script, load } = require('${there}/dist/slave/packed-executor.js').openPacked('${there}')
    const { executor } = load('dist/slave/executor.js')
    const read = Object.keys(require.cache).filter(file => file.startsWith('${there}/'))
    console.log(script.cachedDataRejected, executor.description.name, read.length)`
  t.match(ok('-e', look), /^false executor 1\n?$/, 'no file of a module is read')
  // What cannot be used is as good as not there.
  const [program, ...rest] = commandIn(there, 'stdio')
  const refused = () => sandbox.run(program!, rest, { input: '' })
  const without = /the first line of standard input is to be one/
  t.match(refused(), { code: 100, stderr: without })
  writeFileSync(`${there}/packed.cache`, readFileSync(`${there}/packed.cache`).subarray(0, 1000))
  t.match(refused(), { code: 100, stderr: without })
  sandbox.ok('rm', [`${there}/packed.js`, `${there}/packed.cache`])
  t.match(refused(), { code: 100, stderr: without })
})
