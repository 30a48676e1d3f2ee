// Secrets of the farmer: long ones.

import { lasting } from '../../lib/base/exit.ts'
import { secret } from '../../lib/system/secret.ts'

/** The secret that NAME or the file NAME_FILE holds, of 16 characters at least; undefined if neither is set. */
export function longSecret(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const text = secret(name, env)
  if (text !== undefined && text.length < 16)
    throw lasting(`read the setting ${name}_FILE`, 'the file holds fewer than 16 characters')
  return text
}
