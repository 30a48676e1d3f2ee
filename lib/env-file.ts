// A job's `env.txt`, read back. Pure.

/** The variables of lines `NAME=VALUE`, quoted as a shell would need it; what was hidden is left out. */
export function parseEnvironment(text: string): Record<string, string> {
  const values: Record<string, string> = {}
  for (const [, name, quoted, plain] of text.matchAll(/^([A-Za-z_]\w*)=(?:'((?:[^']|'\\'')*)'|(.*))$/gm)) {
    const value = quoted?.replaceAll("'\\''", "'") ?? plain!
    if (value !== '***') values[name!] = value
  }
  return values
}
