// A line of a Testfile as a step that a machine can run. Pure.

import { shellQuote } from '../base/shell-quote.ts'

/** A script of sh that runs a command in a directory of the code, where it is started. */
export const commandScript = (directory: string, command: string): string =>
  [
    '#!/bin/sh',
    ...(directory === '' ? [] : [`cd -- ${shellQuote(directory)} || exit`]),
    `exec /bin/bash -eo pipefail -c ${shellQuote(command)}`,
    '',
  ].join('\n')
