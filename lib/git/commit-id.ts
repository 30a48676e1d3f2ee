/** True of a whole id of SHA-1 or SHA-256, as git prints it. Pure. */
export const isCommitId = (text: string): boolean => /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)
