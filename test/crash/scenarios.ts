import { commandScenarios } from './command-scenarios.ts'
import { forgeScenarios } from './forge-scenarios.ts'
import { forgeProgramScenarios } from './forge-program-scenarios.ts'
import { hookScenarios } from './hook-scenarios.ts'
import { makerScenarios } from './maker-scenarios.ts'
import { reaperScenarios } from './reaper-scenarios.ts'
import { slaveScenarios } from './slave-scenarios.ts'
import { sweeperScenarios } from './sweeper-scenarios.ts'
import type { Scenario } from './scenario.ts'
import { verbScenarios } from './verb-scenarios.ts'

/** All that is crashed. */
export const scenarios: readonly Scenario[] = [
  ...hookScenarios,
  ...forgeScenarios,
  ...forgeProgramScenarios,
  ...makerScenarios,
  ...reaperScenarios,
  ...slaveScenarios,
  ...commandScenarios,
  ...sweeperScenarios,
  ...verbScenarios,
]
