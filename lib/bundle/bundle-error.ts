/** A fault of a bundle, in a clause that completes `code.tar: `. The same bundle would fail again. */
export class BundleError extends Error {}
