// `npm run test:mutations [-- WORDS]`: breaks one line of the protocol at a time, in a copy of the compiled programs, and
// sweeps until something is found. A mutation that survives is a hole in the sweep: it is said, and the exit code is 1.

import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'

import { ROOT } from '../fixtures/sandbox.ts'
import { isMeant, MUTATIONS } from './mutations.ts'
import type { Mutation } from './mutations.ts'
import { scenarios } from './scenarios.ts'
import { schedules, trySchedule } from './schedules.ts'
import { harm, instantsOf, nothingYet, sweep } from './sweep.ts'
import { Fixtures } from './world.ts'

const say = (line: string) => void process.stdout.write(line + '\n')

/** A tree whose programs have the mutation. */
function breakCopy({ name, file, text, instead }: Mutation): string {
  const source = readFileSync(join(ROOT, file), 'utf8')
  if (source.split(text).length !== 2) throw new Error(`'${name}': its text does not occur once in ${file}`)
  const copy = mkdtempSync(join(tmpdir(), 'bass-mutant-'))
  for (const part of ['bin', 'examples', 'hooks', 'lib', 'master', 'slave', 'node_modules', 'package.json']) {
    symlinkSync(join(ROOT, part), join(copy, part))
  }
  cpSync(join(ROOT, 'dist'), join(copy, 'dist'), { recursive: true })
  const { outputText } = ts.transpileModule(source.replace(text, instead), {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.CommonJS,
      esModuleInterop: true,
      rewriteRelativeImportExtensions: true,
    },
  })
  writeFileSync(join(copy, 'dist', file.replace(/ts$/, 'js')), outputText)
  return copy
}

/** In an order that soon has been everywhere. */
function scattered<T>(all: readonly T[]): T[] {
  const stride = 37
  return all
    .map((one, i) => ({ one, place: (i * stride) % all.length }))
    .sort((a, b) => a.place - b.place)
    .map(({ one }) => one)
}

/** What noticed the mutation first, and after how many instants; undefined if it survived. */
async function findOut(mutation: Mutation): Promise<string | undefined> {
  const root = breakCopy(mutation)
  const fixtures = new Fixtures(root)
  const totals = nothingYet()
  const found: string[] = []
  try {
    const { kind, words } = mutation
    if (kind === 'schedule') {
      for (const schedule of schedules.filter(({ name }) => name.includes(words)))
        found.push(...(await trySchedule(schedule, fixtures)))
      return found[0]
    }
    for (const scenario of scenarios.filter(({ name }) => name.includes(words))) {
      const all = await instantsOf(scenario, fixtures, kind)
      const instants = all.filter(instant => isMeant(mutation, instant))
      await sweep(
        scenario,
        fixtures,
        scattered(instants),
        totals,
        line => found.push(line),
        () => harm(totals) > 0,
      )
    }
  } catch (error) {
    // It does not even work without a fault.
    found.push(error instanceof Error ? error.message : String(error))
  } finally {
    fixtures.dispose()
    rmSync(root, { recursive: true, force: true })
  }
  return found[0] && `after ${totals.tried} instants: ${found[0]}`
}

async function main(words = ''): Promise<void> {
  let survived = 0
  const chosen = MUTATIONS.filter(({ name }) => name.includes(words))
  for (const mutation of chosen) {
    const found = await findOut(mutation)
    if (found === undefined) survived++
    say(
      `${found === undefined ? 'SURVIVED' : 'noticed'}: ${mutation.name}${found === undefined ? '' : `\n    ${found}`}`,
    )
  }
  say(`mutations ${chosen.length}, survived ${survived}`)
  if (survived > 0) process.exitCode = 1
}

void main(process.argv[2])
