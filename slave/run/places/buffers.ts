/** Bytes read at once: what a pipe of Linux holds. */
export const PIPE_BYTES = 65_536

/** Memory that one stream of a step is read into, gathered in and written from. */
export interface Buffers {
  readonly input: Buffer
  gathering: Buffer
  flying: Buffer
}

/** To make them anew for each step costs more than a short step. */
export class BufferPool {
  readonly #spare: Buffers[] = []

  take(): Buffers {
    return (
      this.#spare.pop() ?? {
        input: Buffer.allocUnsafeSlow(PIPE_BYTES),
        gathering: Buffer.allocUnsafeSlow(2 * PIPE_BYTES),
        flying: Buffer.allocUnsafeSlow(2 * PIPE_BYTES),
      }
    )
  }

  give(buffers: Buffers): void {
    this.#spare.push(buffers)
  }
}
