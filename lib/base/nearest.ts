// Finds the word that a typo stands for. Pure.

/**
 * The candidate that begins with `word`; else the one that takes the fewest slips to get from it, if these are few for its length;
 * else undefined.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const rated = candidates
    .map(candidate => ({ candidate, slips: candidate.startsWith(word) ? 0 : distance(word, candidate) }))
    .filter(({ candidate, slips }) => slips <= Math.max(1, candidate.length / 3))
    .sort((a, b) => a.slips - b.slips)
  return word === '' ? undefined : rated[0]?.candidate
}

/** How many letters are left out, put in, taken for another or swapped with their neighbour (Damerau's distance). */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, column) => column)]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const [above, left, across] = [rows[i - 1]![j]!, row[j - 1]!, rows[i - 1]![j - 1]!]
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = swapped ? rows[i - 2]![j - 2]! + 1 : Infinity
      row[j] = Math.min(above + 1, left + 1, across + Number(a[i - 1] !== b[j - 1]), swap)
    }
    rows.push(row)
  }
  return rows[a.length]![b.length]!
}
