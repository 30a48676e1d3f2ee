// Git over HTTP, by git's own program for it, which speaks CGI.

import type { IncomingMessage, ServerResponse } from 'node:http'

import { gitEnvironment } from '../../lib/git/process.ts'
import { start } from '../../lib/system/run.ts'

/** Answers a request of git for a repository below `root`. Without a `user` it may fetch, and push nothing. */
export function serveGit(
  root: string,
  request: IncomingMessage,
  response: ServerResponse,
  user?: string,
): void {
  const url = new URL(request.url ?? '/', 'http://git')
  const { headers } = request
  const child = start(['git', 'http-backend'], {
    env: {
      ...gitEnvironment(),
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: '1',
      REQUEST_METHOD: request.method,
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(headers['git-protocol'] ?? ''),
      ...(user === undefined ? {} : { REMOTE_USER: user }),
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  child.on('error', () => response.destroy())
  // It may end before it has read all.
  child.stdin.on('error', () => undefined)
  request.pipe(child.stdin)
  response.on('close', () => child.kill())
  let head = Buffer.alloc(0)
  child.stdout.on('data', function onData(chunk: Buffer) {
    head = Buffer.concat([head, chunk])
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    child.stdout.off('data', onData)
    answer(response, head.toString('latin1', 0, end).split('\r\n'))
    response.write(head.subarray(end + 4))
    child.stdout.pipe(response)
  })
  child.stdout.on('end', () => response.end())
}

/** Sends the head of an answer, whose status is one of its lines. */
function answer(response: ServerResponse, lines: readonly string[]): void {
  const fields = lines.map(line => line.split(': ', 2) as [string, string])
  const status = Number(fields.find(([name]) => name === 'Status')?.[1].slice(0, 3) ?? 200)
  response.writeHead(status, Object.fromEntries(fields.filter(([name]) => name !== 'Status')))
}
