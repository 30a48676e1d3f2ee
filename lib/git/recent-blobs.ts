// Small files that were read lately. From one commit to the next most files stay the same, and to ask git for one takes it a
// dozen system calls, and us a turn of the event loop.

import type { ObjectHeader, ObjectReader } from './objects.ts'

/** Bytes of one that is kept at most. */
const BLOB_MAX = 64 * 1024
/** Bytes that are kept at most, and what one takes besides its content, roughly. */
const BYTES_MAX = 32 * 1024 * 1024
const BLOB_BYTES = 500

/** An object, by its id, and who wants it. */
export type Asking = readonly [id: string, reader: ObjectReader]

interface Kept {
  readonly body: Buffer
  /** True if it was wanted since the last rest. */
  isUsed: boolean
}

export class RecentBlobs {
  readonly #kept = new Map<string, Kept>()
  #bytes = 0
  /** False until the first rest: who reads once has no use for it. */
  #keeps = false

  /**
   * Those objects of which git is to be asked. What is kept is handed to its readers in between, as long as none has failed,
   * so that all come in their order; and by `handRest` what comes behind the last of them.
   */
  split(asking: readonly Asking[], failed: AbortSignal): { asked: Asking[]; handRest: () => Promise<void> } {
    const asked: Asking[] = []
    let known: (() => void | Promise<void>)[] = []
    const handAll = async (hands: typeof known) => {
      for (const hand of hands) {
        if (failed.aborted) return
        const busy = hand()
        if (busy) await busy
      }
    }
    for (const [id, reader] of asking) {
      const body = this.#find(id)
      if (body) {
        known.push(() => hand(id, body, reader))
        continue
      }
      const before = known
      known = []
      const keeping = this.#keeping(id, reader)
      const begin = (header: ObjectHeader) => handAll(before).then(() => keeping.begin(header))
      asked.push([id, before.length === 0 ? keeping : { ...keeping, begin }])
    }
    return { asked, handRest: () => handAll(known) }
  }

  #find(id: string): Buffer | undefined {
    const kept = this.#kept.get(id)
    if (kept) kept.isUsed = true
    return kept?.body
  }

  /** A reader that hands on what it takes, and keeps it if it is small and there is room. */
  #keeping(id: string, reader: ObjectReader): ObjectReader {
    let body: Buffer | undefined
    let filled = 0
    const fill = (bytes: Buffer) => {
      filled += bytes.copy(body!, filled)
      if (filled === body!.length) this.#keep(id, body!)
    }
    return {
      begin: header => {
        if (this.#wants(header)) body = Buffer.allocUnsafeSlow(header.size)
        if (header.size === 0 && body) fill(body)
        return reader.begin(header)
      },
      take: bytes => {
        if (body) fill(bytes)
        return reader.take(bytes)
      },
    }
  }

  /** Where a repository has more than is kept, the first to come stay: to replace them all the time would serve nobody. */
  #wants({ type, size }: ObjectHeader): boolean {
    return this.#keeps && type === 'blob' && size <= BLOB_MAX && this.#bytes + size <= BYTES_MAX
  }

  #keep(id: string, body: Buffer): void {
    // It may be wanted twice, or by two at the same time.
    if (this.#kept.has(id)) return
    this.#kept.set(id, { body, isUsed: true })
    this.#bytes += body.length + BLOB_BYTES
  }

  /** For the end of a piece of work: forgets what it did not want. */
  rest(): void {
    this.#keeps = true
    for (const [id, kept] of this.#kept) {
      if (kept.isUsed) kept.isUsed = false
      else {
        this.#kept.delete(id)
        this.#bytes -= kept.body.length + BLOB_BYTES
      }
    }
  }

  forget(): void {
    this.#kept.clear()
    this.#bytes = 0
  }
}

/** Hands a blob to a reader as git's would be. */
function hand(id: string, body: Buffer, reader: ObjectReader): void | Promise<void> {
  const take = () => (body.length > 0 ? reader.take(body) : undefined)
  const busy = reader.begin({ id, type: 'blob', size: body.length })
  return busy ? busy.then(take) : take()
}
