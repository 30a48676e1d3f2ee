// What many rounds come to. Pure.

export interface Summary {
  readonly rounds: number
  readonly median: number
  /** The quartiles, between which half of the rounds lie. */
  readonly low: number
  readonly high: number
}

export function summarize(figures: readonly number[]): Summary {
  const sorted = [...figures].sort((a, b) => a - b)
  // Between the two neighbours, as far from each as the rank is.
  const at = (rank: number) => {
    const place = rank * (sorted.length - 1)
    const [below, above] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!]
    return below + (above - below) * (place - Math.floor(place))
  }
  return { rounds: sorted.length, median: at(0.5), low: at(0.25), high: at(0.75) }
}
