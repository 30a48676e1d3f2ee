import { test } from 'tap'

import { isAbsence, isDamage, isRefusal, rejectionIn } from '../../../lib/git/refusal.ts'

const REFUSALS = [
  "fatal: Authentication failed for 'https://forge.example/o/r.git/'",
  "fatal: could not read Username for 'https://forge.example': terminal prompts disabled",
  "fatal: could not read Password for 'https://u@forge.example': terminal prompts disabled",
  "fatal: unable to access 'http://forge.example/o/r/': The requested URL returned error: 403",
  "fatal: repository 'https://forge.example/o/r.git/' not found",
  'ERROR: Repository not found.\nfatal: Could not read from remote repository.',
  'git@forge.example: Permission denied (publickey).',
  'ERROR: Permission to o/r.git denied to deploy key.',
  'Host key verification failed.',
]
const ABSENCES = [
  'fatal: remote error: upload-pack: not our ref 0123456789012345678901234567890123456789',
  'error: Server does not allow request for unadvertised object 0123456789012345678901234567890123456789',
  "fatal: couldn't find remote ref refs/pull/7/head",
]
const AWAY = [
  "fatal: unable to access 'https://forge.example/o/r/': Could not resolve host: forge.example",
  "fatal: unable to access 'http://forge.example/o/r/': The requested URL returned error: 502",
  'ssh: connect to host forge.example port 22: Connection refused',
  'fatal: early EOF',
]

const DAMAGES = [
  'fatal: bad object refs/jci-runs/0123/1700000000-aaaa',
  'fatal: bad tree object 0123456789012345678901234567890123456789',
  'fatal: unable to read 0123456789012345678901234567890123456789',
  'error: refs/jci-runs/0123/1700000000-aaaa does not point to a valid object!',
  'fatal: missing object 0123456789012345678901234567890123456789 for refs/jci-runs/0123/1700000000-aaaa',
  'fatal: loose object 0123456789012345678901234567890123456789 (stored in .git/objects/01/23) is corrupt',
]

test('damage, and why a push was not taken', async t => {
  for (const words of DAMAGES) t.same([isDamage(words), isRefusal(words)], [true, false], words)
  for (const words of [...REFUSALS, ...AWAY]) t.notOk(isDamage(words), words)
  const said = (how: string) =>
    `To /r.git\n ! [${how}] a -> a (hook (mine) declined)\nerror: failed to push\n`
  t.equal(rejectionIn(said('remote rejected')), 'hook (mine) declined')
  t.equal(rejectionIn(said('rejected')), 'hook (mine) declined')
  t.equal(rejectionIn(said('remote failure')), undefined, 'that may pass')
})

test('what comes again is told from what passes', async t => {
  for (const words of REFUSALS) t.same([isRefusal(words), isAbsence(words)], [true, false], words)
  for (const words of ABSENCES) t.same([isRefusal(words), isAbsence(words)], [false, true], words)
  for (const words of AWAY) t.same([isRefusal(words), isAbsence(words)], [false, false], words)
})
