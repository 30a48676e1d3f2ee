// A column of texts: many rows, few texts, each held once.

export class TextColumn {
  /** The number of each row's text; 0 is the empty one. */
  ids: Uint32Array
  #texts: string[] = ['']
  #numbers = new Map<string, number>([['', 0]])

  constructor(size: number) {
    this.ids = new Uint32Array(size)
  }

  get(row: number): string {
    return this.#texts[this.ids[row]!]!
  }

  /** True if that changes it. */
  set(row: number, text: string): boolean {
    const id = this.#id(text)
    if (this.ids[row] === id) return false
    this.ids[row] = id
    return true
  }

  #id(text: string): number {
    let id = this.#numbers.get(text)
    if (id === undefined) {
      id = this.#texts.length
      // A part of a longer string would hold all of it in memory.
      const own = Buffer.from(text).toString()
      this.#texts.push(own)
      this.#numbers.set(own, id)
    }
    return id
  }

  /** The number of a text; undefined if no row has had it. */
  find(text: string): number | undefined {
    return this.#numbers.get(text)
  }

  text(id: number): string {
    return this.#texts[id]!
  }

  /** All texts but the empty one, in the order in which they came. */
  all(): readonly string[] {
    return this.#texts.slice(1)
  }

  /** Whether each row's text is one of a kind; each text is looked at once. */
  test(isIt: (text: string) => boolean): (row: number) => boolean {
    const answers = new Map<number, boolean>()
    return row => {
      const id = this.ids[row]!
      let answer = answers.get(id)
      if (answer === undefined) answers.set(id, (answer = isIt(this.text(id))))
      return answer
    }
  }

  /** Forgets the texts that none of the first `count` rows has. */
  retain(count: number): void {
    const texts = this.#texts
    this.#texts = ['']
    this.#numbers = new Map([['', 0]])
    const ids = new Map<number, number>()
    const column = this.ids.subarray(0, count)
    for (const [row, old] of column.entries()) {
      let id = ids.get(old)
      if (id === undefined) ids.set(old, (id = this.#id(texts[old]!)))
      column[row] = id
    }
  }
}

type Numbers = Float64Array | Uint32Array | Uint8Array

/** A column with room for `size` rows. */
export function grown<T extends Numbers>(column: T, size: number): T {
  const larger = new (column.constructor as new (size: number) => T)(size)
  larger.set(column)
  return larger
}
