// What an executor refuses to do, as gRPC tells it.

import { reasonOf } from '../../lib/base/errno.ts'

/** Of grpc.status. */
export const [INVALID, NOT_FOUND, EXISTS, PRECONDITION, OUT_OF_RANGE, INTERNAL, UNAUTHENTICATED] = [
  3, 5, 6, 9, 11, 13, 16,
]

export class Refusal extends Error {
  readonly code: number
  readonly details: string

  constructor(code: number, details: string) {
    super(details)
    this.code = code
    this.details = details
  }
}

export const refusalOf = (error: unknown) =>
  error instanceof Refusal ? error : new Refusal(INTERNAL, reasonOf(error))
