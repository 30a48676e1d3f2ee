// The settings of server and runner, each with its purpose.

export const SERVER_NEEDS = {
  GITEA_HOST: 'the forge: a host, or an address that begins with http:// or https://',
  GITEA_USER: 'the user that the token belongs to',
  GITEA_TOKEN: 'its token, with write:repository and write:user',
  GITEA_WEBHOOK_SECRET: 'what the forge signs its webhooks with',
  RUNNER_SECRET: 'what runners show',
} as const

export const SERVER_SETTINGS = {
  ...SERVER_NEEDS,
  JCI_MAX_JOBS: 'how many jobs may run at once',
  JCI_JOB_TIMEOUT: 'how long a job may take; runners read it too',
  JCI_LISTEN: 'where to listen',
  JCI_DB: 'the directory of its state',
  JCI_GIT_URL: 'its address for runners; else as they call it',
  JCI_WEB_URL: "where 'git jci web' is, for links; {owner} and {repo} are filled in",
  JCI_CREDENTIAL: 'proxy, or token: jobs talk to the forge itself',
} as const

export const RUNNER_NEEDS = {
  JCI_SERVER: 'the address of the server, such as http://ci.example.org:8080',
  JCI_RUNNER_SECRET: 'the RUNNER_SECRET of the server',
} as const

export const RUNNER_SETTINGS = {
  ...RUNNER_NEEDS,
  JCI_RUNNER_DB: 'the directory of its identity and of the tool',
  JCI_BINARY: 'a directory to put into containers instead of the programs of this host',
  JCI_IMAGE: 'the image of jobs that name none',
  JCI_RUN_IN: "'here' runs jobs as processes, without containers",
  JCI_JOB_TIMEOUT: 'how long a job may take',
  JCI_CPUS: 'how many processors a container may use',
  JCI_MEMORY: 'how much memory',
  JCI_PIDS: 'how many processes',
  JCI_NETWORK: 'the network of containers',
  CONTAINER: 'podman or docker, with options',
} as const
