// A job's `env.txt`, read back. Pure.

/** The variables of lines `NAME=VALUE`, quoted as a shell would need it; what was hidden is left out. */
export function parseEnvironment(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/^([A-Za-z_]\w*)=(?:'((?:[^']|'\\'')*)'|(.*))$/gm)].map(
    ([, name, quoted, plain]) => [name!, quoted?.replaceAll("'\\''", "'") ?? plain!] as const,
  )
  return Object.fromEntries(pairs.filter(([, value]) => value !== '***'))
}
