import { test } from 'tap'

import { isAbsence, isRefusal } from '../../../lib/git/refusal.ts'

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

test('what comes again is told from what passes', async t => {
  for (const words of REFUSALS) t.same([isRefusal(words), isAbsence(words)], [true, false], words)
  for (const words of ABSENCES) t.same([isRefusal(words), isAbsence(words)], [false, true], words)
  for (const words of AWAY) t.same([isRefusal(words), isAbsence(words)], [false, false], words)
})
