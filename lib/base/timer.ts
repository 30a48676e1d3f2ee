// What a timer of Node.js can wait for. Pure.

/** The longest wait, in milliseconds: 24 days. A timer that is told to wait for longer fires at once. */
export const TIMER_MAX_MS = 2 ** 31 - 1
