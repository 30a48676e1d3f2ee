// How both sides load the protocol. The libraries are large: whoever may do without them imports this file when it does not.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import * as grpc from '@grpc/grpc-js'
import type { MethodDefinition } from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import type { Method, Type } from 'protobufjs'

import { ROOT } from '../base/root.ts'
import { DELETED_MAX } from './wary.ts'

/** The library, and the service as it wants that. */
export function loadProtocol() {
  const { root } = protobuf.parse(readFileSync(join(ROOT, 'lib/exec/executor.proto'), 'utf8'))
  const service = root.resolveAll().lookupService('bass.exec.v1.Executor')
  const definition = service.methodsArray.map(method => [method.name, definitionOf(method)] as const)
  return { grpc, Executor: grpc.makeGenericClientConstructor(Object.fromEntries(definition), service.name) }
}

/** A method as gRPC wants it. The library's own loader does this, too, and takes twice as long to be loaded. */
function definitionOf(method: Method): MethodDefinition<object, object> {
  const { name, parent, requestStream = false, responseStream = false } = method
  const [request, response] = [method.resolvedRequestType!, method.resolvedResponseType!]
  return {
    path: `/${parent!.fullName.slice(1)}/${name}`,
    originalName: name.toLowerCase(),
    requestStream,
    responseStream,
    requestSerialize: encoder(request),
    requestDeserialize: decoder(request),
    responseSerialize: encoder(response),
    responseDeserialize: decoder(response),
  }
}

const encoder = (type: Type) => (message: object) =>
  Buffer.from(type.encode(type.fromObject(message)).finish())

/** Fields that are not there have their defaults; of those that exclude each other, one is there. */
const decoder = (type: Type) => (bytes: Buffer) => {
  mustBeFew(bytes)
  return type.toObject(type.decode(bytes), {
    longs: Number,
    defaults: true,
    arrays: true,
    objects: true,
  }) as object
}

/** The field of a result in a message of the server, and of a deleted name in that. No other message has the like. */
const [RESULT, DELETED] = [3, 9]

/** Throws if a message has more names than memory should hold: of two bytes on their way, decoding makes a hundred. */
function mustBeFew(bytes: Buffer): void {
  if (bytes.length < DELETED_MAX) return
  const reader = protobuf.Reader.create(bytes)
  for (let [names, end] = [0, 0]; reader.pos < reader.len;) {
    const isInside = reader.pos < end
    const tag = reader.uint32()
    if (isInside && tag >>> 3 === DELETED && ++names > DELETED_MAX)
      throw new Error(`more than ${DELETED_MAX} names`)
    if (isInside || tag >>> 3 !== RESULT) reader.skipType(tag & 7)
    else {
      const length = reader.uint32()
      end = reader.pos + length
    }
  }
}
