// How states look: a sign, a colour and a word each, so that colour is never the only difference. Pure.

import type { StepView, TaskView } from '../../../lib/view/view.ts'
import { html } from '../../../lib/web/html.ts'
import type { Html } from '../../../lib/web/html.ts'
import type { State } from '../site/states.ts'

/** The states that a page shows. */
export type ShownState = State | StepView['state']

const SIGNS: Record<ShownState, string> = {
  unread: '·',
  waiting: '…',
  running: '▸',
  gone: '·',
  success: '✓',
  failure: '✗',
  timeout: '◷',
  cancelled: '⊘',
  lost: '?',
  error: '!',
  skipped: '–',
  interrupted: '⊘',
}

/** The words of pages, which are those of other CI systems; files and JSON keep theirs. */
const WORDS: Partial<Record<ShownState, string>> = {
  unread: 'not read yet',
  waiting: 'queued',
  gone: 'pruned',
  success: 'passed',
  failure: 'failed',
  timeout: 'timed out',
}

export const wordFor = (state: ShownState): string => WORDS[state] ?? state

/** The sign alone, for people who see; the word stands elsewhere. */
export const signOf = (state: ShownState): Html =>
  html`<span class="sign" aria-hidden="true">${SIGNS[state]}</span>`

/** Sign and word. */
export const badgeOf = (state: ShownState): Html =>
  html`<span class="state s-${state}">${signOf(state)} ${wordFor(state)}</span>`

/** The state of a task: its verdict, once it has one. */
export const stateOf = ({ state, job }: TaskView): State =>
  job?.verdict ?? (state === 'over' ? 'gone' : state)

/** From good to bad: of several results the last one here is what a person needs to know. */
const ORDER: readonly State[] = [
  'unread',
  'gone',
  'success',
  'cancelled',
  'waiting',
  'running',
  'lost',
  'timeout',
  'error',
  'failure',
]

/** One state for many. */
export const worst = (states: readonly State[]): State =>
  states.reduce<State>((a, b) => (ORDER.indexOf(b) > ORDER.indexOf(a) ? b : a), 'unread')
