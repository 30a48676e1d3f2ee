// Joins standard input and output to the socket of an executor that waits for its client to come back: what another ssh
// runs when the first one's connection was lost.

import { rmSync } from 'node:fs'
import { connect } from 'node:net'

import { reasonOf } from '../lib/base/errno.ts'
import { ourSshd } from './execute/sshd.ts'

function rejoin(path: string): void {
  const sshd = ourSshd()
  const socket = connect(path)
  let isLeaving = false
  const leave = async () => {
    if (isLeaving) return
    isLeaving = true
    // Then nobody waits for the client any more.
    if (!(await sshd.isGone())) rmSync(path, { force: true })
    process.exit()
  }
  const onEnd = () => void leave()
  socket.on('close', () => process.exit()).on('error', error => process.stderr.write(`${reasonOf(error)}\n`))
  process.stdout.on('error', onEnd)
  for (const event of ['end', 'close', 'error']) process.stdin.once(event, onEnd)
  process.stdin.pipe(socket, { end: false })
  socket.pipe(process.stdout)
}

if (require.main === module) rejoin(process.argv[2]!)
