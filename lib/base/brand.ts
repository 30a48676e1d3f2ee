// Two kinds of text that the protocol must not mix up: names of tasks and paths. The compiler refuses one for the other.

declare const kind: unique symbol

/** A text of one kind: a text of no kind may become it, a text of another kind may not. */
export type Brand<K extends string> = { readonly [kind]?: K }

/** A path. Any text may be one, a `TaskId` may not. */
export type Path = string & Brand<'path'>
