// The repositories that tasks are made of, and what was made ready of them before it was asked for.

import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'

import { pack } from '../../lib/bundle/pack.ts'
import { Repository } from '../../lib/git/repository.ts'
import { formatParams } from '../../lib/spool/event.ts'
import { breather } from '../../lib/system/breath.ts'
import { makeDirectory } from '../../lib/spool/spool.ts'
import type { Spool } from '../../lib/spool/spool.ts'
import type { Sources } from './bundle.ts'
import { makeRecipes } from './recipes.ts'

export interface RepositorySettings extends Pick<Sources, 'compressor' | 'bundleMax' | 'extras' | 'limits'> {
  readonly spool: Spool
  /** Path of the code repository. */
  readonly code: string
  /** Path of the steps repository, if the steps have one. */
  readonly steps: string | undefined
}

/** A program that starts packs so often, as long as that takes no more than so many milliseconds. */
const WARM_UP_TIMES = 25
const WARM_UP_MS = 300
/** Nor more than so many bytes: all the makers of a machine may start at once. */
const WARM_UP_BYTES = 4 * 1024 * 1024

/** For so long an event is waited for that was foreseen, in milliseconds; tags come and go, and versions with them. */
const FORESEEN_MS = 1000

export class Repositories {
  readonly #settings: RepositorySettings
  readonly #versionMax: number
  readonly #code: Repository
  readonly #steps: Repository | undefined
  /** What the next work is done with, if it comes soon. */
  #foreseen: Promise<Sources> | undefined
  #unforeseen: NodeJS.Timeout | undefined
  #used = false

  /** `versionMax` is how long a version may be. An aborted `signal` kills what runs here. */
  constructor(settings: RepositorySettings, versionMax: number, signal?: AbortSignal) {
    const { code, steps } = settings
    this.#settings = settings
    this.#versionMax = versionMax
    this.#code = new Repository(code, signal)
    this.#steps = steps === undefined ? undefined : new Repository(steps, signal)
  }

  /** Does `work` with the repositories, each of which has what we need of it; else no event can be worked off. */
  async use<T>(work: (sources: Sources) => Promise<T>): Promise<T> {
    clearTimeout(this.#unforeseen)
    const foreseen = this.#foreseen
    this.#foreseen = undefined
    this.#used = true
    try {
      return await work(await (foreseen ?? this.#sources()))
    } finally {
      this.#used = false
    }
  }

  /**
   * Makes all that an event of this commit will need, so that the next `use` finds it made, or being made; not while other work is
   * done. What fails shall fail there.
   */
  async foresee(revision: string): Promise<void> {
    if (this.#used) return
    clearTimeout(this.#unforeseen)
    this.#unforeseen = setTimeout(() => {
      this.#foreseen = undefined
      this.rest()
    }, FORESEEN_MS).unref()
    const sources = this.#sources()
    this.#foreseen = sources
    try {
      this.#code.expectDescribed([revision])
      // As the hook compares it: with its first parent.
      await makeRecipes(await sources, [], {
        ref: '',
        revision,
        params: formatParams({ BASE: `${revision}^` }),
      })
    } catch {
      if (this.#foreseen === sources) this.#foreseen = undefined
    }
  }

  /**
   * For a program that has just started: makes the repositories ready, and packs the newest commit of the code for nobody, as long
   * as there is nothing else to do. Most files of the next commit are known then, as after a push; and V8 has compiled what packs
   * them, which it does after some repetitions only.
   */
  async warmUp(): Promise<void> {
    this.rest()
    // What fails is for the first event to say.
    await this.#packForNobody().catch(() => undefined)
  }

  async #packForNobody(): Promise<void> {
    const end = performance.now() + WARM_UP_MS
    const breathe = breather(this.#code.signal)
    const nowhere = openSync('/dev/null', 'w')
    try {
      await this.#code.check()
      const commit = await this.#code.commit('HEAD')
      for (let i = 0; commit && i < WARM_UP_TIMES && this.#isIdle() && performance.now() < end; i++) {
        await pack(this.#code, commit.tree, nowhere, {
          time: commit.time,
          compressor: ['cat'],
          maxBytes: WARM_UP_BYTES,
        })
        await breathe()
      }
    } finally {
      closeSync(nowhere)
    }
  }

  #isIdle(): boolean {
    return !this.#used && this.#foreseen === undefined
  }

  /** Makes the repositories ready for the next events. */
  rest(): void {
    this.#code.rest()
    this.#steps?.rest()
  }

  close(): void {
    clearTimeout(this.#unforeseen)
    this.#code.close()
    this.#steps?.close()
  }

  async #sources(): Promise<Sources> {
    const { spool, compressor, bundleMax, extras, limits } = this.#settings
    const [code, steps] = [this.#code, this.#steps]
    const archives = join(spool.tasks.tmp, '.bundles')
    await Promise.all([code.check(), steps?.check()])
    makeDirectory(archives)
    const versions = { versionMax: this.#versionMax, versions: new Map(), stepsVersions: new Map() }
    return { code, steps, compressor, bundleMax, extras, limits, archives, ...versions }
  }
}
