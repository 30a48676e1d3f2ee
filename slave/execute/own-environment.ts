// What commands of an executor inherit of its environment.

/** The variables that image or machine give to everybody, without the executor's own. */
export function ownEnvironment(): Record<string, string> {
  const own = ['TMPDIR', 'BASS_EXECUTOR', 'BASS_SSHD', 'BASS_ROOT', 'NODE_OPTIONS']
  return Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] => !own.includes(entry[0]) && entry[1] !== undefined,
    ),
  )
}
