// Ports that nobody listens on, for programs that are told theirs.

import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

/** Returns so many different ports of the loopback that are free now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  await Promise.all(servers.map(server => new Promise<void>(done => server.listen(0, '127.0.0.1', done))))
  const ports = servers.map(server => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(server => new Promise(done => server.close(done))))
  return ports
}

export const freePort = async (): Promise<number> => (await freePorts(1))[0]!
