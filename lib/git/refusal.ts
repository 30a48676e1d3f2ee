// What git says where a server does not give what is asked of it, does not take a ref, or where a repository is damaged: so whether
// another try may end in another way. Its words are English: the environment that `process.ts` makes sees to that. Pure.

/** The words of git, ssh and the forges for: nobody is let in, or no repository is there. */
const REFUSED =
  /Authentication failed|could not read (?:Username|Password)|returned error: 40[134]|Permission denied \(|Permission to .* denied|Host key verification failed|repository '.*' not found|Repository not found/

/** The server has the repository, and not what is wanted of it. */
const NOT_THERE = /not our ref|unadvertised object|couldn't find remote ref/

/** An object or a ref of a repository, here or there, cannot be read. */
const DAMAGED =
  /bad (?:tree )?object |unable to read [0-9a-f]{40}|missing object |does not point to a valid object|is corrupt/

/** What git says of a ref that was pushed and not taken: `! [remote rejected] main -> main (hook declined)`. */
const REJECTED = /^ ! \[(?:remote )?rejected\] .*? \((.*)\)$/m

/** True where the server lets nobody in, or has no such repository: the same comes of it however often it is tried. */
export const isRefusal = (words: string): boolean => REFUSED.test(words)

/** True where the server does not have the commit or the ref, or gives it to nobody. */
export const isAbsence = (words: string): boolean => NOT_THERE.test(words)

/** True where a repository is damaged. */
export const isDamage = (words: string): boolean => DAMAGED.test(words)

/** Why the server did not take the first of the refs that it refused; undefined if it refused none. */
export const rejectionIn = (words: string): string | undefined => REJECTED.exec(words)?.[1]
