// What git says where a server does not give what is asked of it: whether another try may end in another way. Its words are
// English: the environment that `process.ts` makes sees to that. Pure.

/** The words of git, ssh and the forges for: nobody is let in, or no repository is there. */
const REFUSED =
  /Authentication failed|could not read (?:Username|Password)|returned error: 40[134]|Permission denied \(|Permission to .* denied|Host key verification failed|repository '.*' not found|Repository not found/

/** The server has the repository, and not what is wanted of it. */
const NOT_THERE = /not our ref|unadvertised object|couldn't find remote ref/

/** True where the server lets nobody in, or has no such repository: the same comes of it however often it is tried. */
export const isRefusal = (words: string): boolean => REFUSED.test(words)

/** True where the server does not have the commit or the ref, or gives it to nobody. */
export const isAbsence = (words: string): boolean => NOT_THERE.test(words)
