// The verbs of `bass`: what each does, and its module, which is loaded only when it is needed. A verb's
// module exports its command as `verb`.

import type { Command } from '../lib/system/command.ts'

export interface Verb {
  /** One line of `bass help`, without a full stop. */
  readonly about: string
  readonly load: () => Promise<{ readonly verb: Command }>
}

/** By what people are about to do, in the order of `bass help`. */
export const GROUPS: Readonly<Record<string, Readonly<Record<string, Verb>>>> = {
  'to set up and run': {
    init: { about: 'make a spool, or set up a project in one', load: () => import('./init.ts') },
    up: { about: 'run all programs of a spool in this terminal', load: () => import('./up.ts') },
    service: {
      about: "have this machine's supervisor run programs of a spool",
      load: () => import('./service.ts'),
    },
    deploy: {
      about: 'put a runnable tree where other machines can start it',
      load: () => import('./deploy.ts'),
    },
    demo: { about: 'see a push become a result, on this machine', load: () => import('./demo.ts') },
  },
  'to see what happens': {
    doctor: { about: 'check this host and say what to type', load: () => import('./doctor.ts') },
    status: { about: 'running, queued and finished tasks', load: () => import('./status.ts') },
    show: { about: 'everything about one task', load: () => import('./show.ts') },
    log: { about: 'the log of a job, and what is added to it', load: () => import('./log.ts') },
    diff: { about: 'the commits since the last success', load: () => import('./diff.ts') },
    wait: { about: 'wait until tasks have finished', load: () => import('./wait.ts') },
  },
  'to control it': {
    event: { about: 'make tasks for a revision, as a push does', load: () => import('./event.ts') },
    cancel: { about: 'cancel queued and running tasks', load: () => import('./cancel.ts') },
    retry: { about: 'run a finished task again', load: () => import('./retry.ts') },
    approve: { about: 'let a held change run', load: () => import('./approve.ts') },
    pause: {
      about: 'stop taking tasks of a project, on a host, or at all',
      load: () => import('./pause.ts'),
    },
    resume: { about: 'end a pause', load: () => import('./resume.ts') },
    prune: { about: 'delete old tasks and jobs', load: () => import('./prune.ts') },
  },
  'to reproduce what failed': {
    shell: { about: 'a shell where the failing step started', load: () => import('./shell.ts') },
    run: { about: 'run the steps of a task, or of the working tree, here', load: () => import('./run.ts') },
    exec: { about: 'run a command in a container or on another machine', load: () => import('./exec.ts') },
    attach: { about: 'open a shell where a job runs or is kept', load: () => import('./attach.ts') },
  },
  'with nothing but a repository': {
    jci: { about: 'results of runs as refs: the same as git jci', load: () => import('./git-jci.ts') },
  },
  'for your shell': {
    completion: {
      about: 'what bash or zsh needs to complete arguments',
      load: async () => (await import('./completion.ts')).completionOf(() => VERBS),
    },
  },
}

/** All of them. */
export const VERBS: ReadonlyMap<string, Verb> = new Map(Object.values(GROUPS).flatMap(Object.entries))
