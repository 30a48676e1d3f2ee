// Words as a POSIX shell reads them. Pure.

/** The text as one word of a command: as it is where nothing in it means anything to a shell. */
export function shellQuote(text: string): string {
  return /^[\w./:+@%,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
