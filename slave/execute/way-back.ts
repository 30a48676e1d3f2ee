// The way back to an executor over ssh, for a client whose connection was lost: a socket, to which another ssh joins its standard
// streams (slave/rejoin.ts). Whoever goes away for good removes it.

import { existsSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { Duplex } from 'node:stream'

import { PATIENCE_MAX } from '../../lib/exec/protocol.ts'
import { ourSshd } from './sshd.ts'

/**
 * Keeps the socket `path`. Resolves when the client has gone away, or its connection has been lost for as long as it may be.
 * `inputEnded` tells of the first connection, which is our standard input.
 */
export function clientLeft(
  path: string,
  inputEnded: Promise<void>,
  onConnection: (connection: Duplex) => void,
): Promise<void> {
  const sshd = ourSshd()
  let connections = 1
  let timer: NodeJS.Timeout | undefined
  return new Promise(done => {
    const parted = () => {
      connections--
      if (!existsSync(path)) done()
      else if (connections === 0) timer = setTimeout(done, PATIENCE_MAX)
    }
    const server = createServer(connection => {
      connections++
      clearTimeout(timer)
      connection.on('error', () => undefined).on('close', parted)
      onConnection(connection)
    })
    // Without it this client is served all the same, and can only not come back.
    server.on('error', () => undefined).listen(path)
    void inputEnded.then(async () => {
      if (!(await sshd.isGone())) rmSync(path, { force: true })
      parted()
    })
  })
}
