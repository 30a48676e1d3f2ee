// The messages of executor.proto as objects, and what both sides agree on.

/** The version of the protocol on this side. */
export const VERSION = '1.3'

/** The metadata that carries the secret of an execution. */
export const SECRET = 'bass-secret'

/** The longest time for which a lost client is waited for, in milliseconds. */
export const PATIENCE_MAX = 30_000

/** How far a client sends input ahead of what the command has taken, in bytes. */
export const INPUT_AHEAD = 1 << 20

/** Bytes of a message of output or of an archive. */
export const PIECE = 65_536

/** How many bytes each side takes in advance: with the default, output through SSH is a hundred times slower. */
export const CHANNEL_OPTIONS = {
  'grpc-node.flow_control_window': 8 << 20,
  'grpc.max_receive_message_length': 4 << 20,
} as const

/** A result names all that was deleted, a whole tree of files perhaps; a lost connection is tried again while it is of use. */
export const CLIENT_OPTIONS = {
  ...CHANNEL_OPTIONS,
  'grpc.max_receive_message_length': 64 << 20,
  'grpc.initial_reconnect_backoff_ms': 500,
  'grpc.max_reconnect_backoff_ms': 3000,
} as const

export interface StartTaskRequest {
  readonly version: string
  readonly id: string
  readonly name: string
  readonly command: readonly string[]
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>
  readonly inherit: boolean
  readonly timeout: number
  readonly contentRoot: string
  readonly outputRoots: readonly string[]
  readonly wantOutput: boolean
  readonly wantArchive: boolean
  readonly wantInput: boolean
  readonly patience: number
  readonly user: string
}

export interface Offsets {
  readonly stdout: number
  readonly stderr: number
}

export type ClientMessage =
  | { readonly start: StartTaskRequest }
  | { readonly input: { readonly offset: number; readonly data: Buffer; readonly end: boolean } }
  | { readonly signal: { readonly name: string; readonly number: number } }
  | { readonly cancel: object }
  | { readonly resume: { readonly version: string; readonly id: string } & Offsets }
  | { readonly acknowledge: Offsets }

export interface TaskLog {
  readonly time: number
  readonly level: string
  readonly message: string
  readonly attributes: Readonly<Record<string, string>>
}

export interface TaskOutput {
  readonly stream: number
  readonly offset: number
  readonly data: Buffer
}

export interface TaskResult {
  readonly error: string
  readonly exitCode: number
  readonly signal: string
  readonly timedOut: boolean
  readonly archive: string
  readonly archiveBytes: number
  readonly archiveSha256: Buffer
  readonly files: number
  readonly deleted: readonly Buffer[]
  readonly started: number
  readonly ended: number
}

export type ServerMessage =
  | { readonly log: TaskLog }
  | { readonly output: TaskOutput }
  | { readonly taken: { readonly input: number; readonly signals: number } }
  | { readonly result: TaskResult }

export interface PutRequest {
  readonly root: string
  readonly data: Buffer
  readonly user: string
}

export interface FetchRequest {
  readonly archive: string
  readonly offset: number
}

/** True if two versions of the protocol understand each other. Pure. */
export const speaks = (version: string): boolean => version.split('.')[0] === VERSION.split('.')[0]
