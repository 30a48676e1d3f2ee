// The outlines of sites with farmers are such as a reader of YAML understands, with programs and settings that there are.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

import { lacks, ROOT, Sandbox } from '../fixtures/sandbox.ts'

interface Site {
  services: Record<string, { command?: string; environment?: Record<string, string> }>
}

test('small and large sites', { skip: lacks('python3') }, async t => {
  const sandbox = new Sandbox(t)
  const settings = new Set(
    readFileSync(join(ROOT, 'lib/rc'), 'utf8').match(/\b[A-Z][A-Z0-9]*_?[A-Z_0-9]+\b/g),
  )
  const sites = readdirSync(join(ROOT, 'examples/farmer')).filter(name => name.endsWith('.yaml'))
  t.same(sites, ['large.yaml', 'small.yaml'])
  for (const name of sites) {
    const script = 'import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)'
    const json = sandbox.ok('python3', ['-c', script, join(ROOT, 'examples/farmer', name)])
    const { services } = JSON.parse(json) as Site
    t.ok(Object.keys(services).some(service => service.startsWith('worker')))
    for (const [service, { command, environment = {} }] of Object.entries(services)) {
      if (command === undefined) continue
      t.ok(existsSync(command.replace('/opt/bass', ROOT)), `${name} ${service}: ${command}`)
      for (const setting of Object.keys(environment))
        t.ok(settings.has(setting), `${name} ${service}: ${setting}`)
    }
  }
})
